"""How the page looks: in light and dark, on a phone and on paper."""

from typing import Final

CSS: Final = """
:root {
  color-scheme: light dark;
  --back: #f4f6f8; --card: #ffffff; --ink: #16202c; --soft: #55616f; --line: #dfe4ea; --rest: #e9edf2;
  --bar: #2f6bd8; --link: #1f59bf; --shadow: 0 1px 2px rgb(16 24 40 / 6%), 0 4px 16px rgb(16 24 40 / 5%);
  --green: #15764a; --green-back: #e4f5ec; --yellow: #8a5a00; --yellow-back: #fff3d6;
    --red: #b8262b; --red-back: #fde8e8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0e1319; --card: #171e27; --ink: #e7ecf2; --soft: #9ba8b7; --line: #2a3440; --rest: #232c37;
    --bar: #6c9ff5; --link: #8ab4ff; --shadow: none;
    --green: #55c98f; --green-back: #12301f; --yellow: #f0b74f; --yellow-back: #362a10;
    --red: #ff8580; --red-back: #3b191b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main, header > div { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
h1, h2, h3, h4, p, ul, ol, figure, dl, dd { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 44px 0 14px; letter-spacing: -0.01em; }
h3 { font-size: 1rem; line-height: 1.4; }
a { color: var(--link); text-underline-offset: 2px; }
.soft { color: var(--soft); }
.aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow); }

header { border-bottom: 1px solid var(--line); background: var(--card); }
header > div { padding-top: 28px; padding-bottom: 28px; }
.over { color: var(--soft); font-size: 0.875rem; }
h1 {
  display: flex; gap: 14px; align-items: center; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.02em;
  margin: 8px 0;
}
h1 svg.icon { width: 38px; height: 38px; }
.meter { display: flex; flex-wrap: wrap; gap: 8px 20px; margin-top: 18px; font-size: 0.9375rem; }
.meter li { display: flex; gap: 7px; align-items: center; }
svg.icon { width: 18px; height: 18px; flex: none; }
.green { --tone: var(--green); --tone-back: var(--green-back); }
.yellow { --tone: var(--yellow); --tone-back: var(--yellow-back); }
.red { --tone: var(--red); --tone-back: var(--red-back); }
.icon circle, .icon path.face { fill: var(--tone); }
.icon path.sign { fill: none; stroke: var(--card); stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin-top: 24px; }
.tiles > div { padding: 14px 16px; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tiles dt { color: var(--soft); font-size: 0.875rem; }
.tiles dd {
  font-size: 1.25rem; line-height: 1.3; white-space: nowrap; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums;
}

.todo li {
  display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; padding: 14px 18px;
  border-left: 4px solid var(--tone);
}
.todo { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 12px; }
.todo h3 a { color: inherit; text-decoration: none; }
.todo h3 a:hover { text-decoration: underline; }
.todo svg { margin-top: 3px; }
.todo p { grid-column: 2; }
.todo li { align-content: start; }

.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.plot { padding: 18px 20px; }
.plot.wide, .plot:last-child:nth-child(even) { grid-column: 1 / -1; }
.plot figcaption p { color: var(--soft); font-size: 0.875rem; }
.area { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 6px 10px; margin-top: 16px; }
.area svg { width: 100%; height: 180px; display: block; overflow: visible; }
.wide .area svg { height: 200px; }
.ticks { display: flex; flex-direction: column; justify-content: space-between; margin: -0.6em 0; text-align: right; }
.ticks, .axis { color: var(--soft); font-size: 0.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.axis { grid-column: 2; display: flex; justify-content: space-between; }
.axis.each > span { flex: 1 1 0; min-width: 0; text-align: center; overflow-wrap: normal; }
rect { fill: var(--bar); }
rect:hover { opacity: 0.75; }
rect.rest { fill: var(--rest); }
.grid line { stroke: var(--line); vector-effect: non-scaling-stroke; }
.bar line { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 2 2; vector-effect: non-scaling-stroke; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; }
.bars { margin-top: 12px; position: relative; }
.bars td, .bars th { padding: 5px 0; vertical-align: middle; }
.bars th { padding-right: 12px; max-width: 14em; min-width: 6em; }
.bars .bar { width: 55%; }
.bars .bar svg { display: block; width: 100%; height: 12px; }
.bars td:last-child { text-align: right; padding-left: 12px; white-space: nowrap; }
details > summary {
  cursor: pointer; color: var(--link); font-size: 0.875rem; width: fit-content; border-radius: 4px;
}
.numbers { margin-top: 12px; }
.scroll { max-height: 240px; overflow: auto; margin-top: 8px; }
.numbers th, .numbers td { padding: 3px 0; border-bottom: 1px solid var(--line); }
.numbers td, .numbers thead th:last-child { text-align: right; }
.numbers thead th { font-weight: 600; }

.checks li {
  display: grid; grid-template-columns: auto 170px minmax(0, 1fr) 250px; gap: 2px 14px; padding: 11px 18px;
}
.checks li + li { border-top: 1px solid var(--line); }
.checks svg { margin-top: 3px; }
.checks .limit { color: var(--soft); font-size: 0.875rem; }
.remedy { color: var(--tone); }
.remedy::before { content: "\\2192\\00a0"; }
.checks details { margin-top: 4px; }
.details { margin-top: 6px; font-size: 0.875rem; }
.details > div {
  display: flex; gap: 4px 16px; justify-content: space-between; padding: 4px 0;
  border-bottom: 1px solid var(--line);
}
.details dt { min-width: 0; }
.details dd { color: var(--soft); text-align: right; }
footer { color: var(--soft); font-size: 0.875rem; padding: 32px 0 48px; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; }

@media (max-width: 760px) {
  main, header > div { padding-left: 16px; padding-right: 16px; }
  h1 { font-size: 1.5rem; align-items: flex-start; }
  h1 svg.icon { width: 30px; height: 30px; margin-top: 2px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .plots { grid-template-columns: minmax(0, 1fr); }
  .plot { padding: 16px; }
  .area svg, .wide .area svg { height: 150px; }
  .axis.each { font-size: 0.625rem; }
  .checks li { grid-template-columns: auto minmax(0, 1fr); padding: 13px 16px; }
  .checks .said, .checks .limit { grid-column: 2; }
  .bars .bar { width: 34%; }
}
@media print {
  :root { --back: #fff; --shadow: none; }
  body { font-size: 10.5pt; }
  header { border-bottom: 0; }
  .card, .checks li, .todo li { break-inside: avoid; }
  .checks.card { break-inside: auto; }
  h2 { break-after: avoid; }
  .scroll { max-height: none; }
  .numbers { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
