locals {
  written = jsondecode(file(var.path))
  # Only editors read $schema.
  document = { for key, value in local.written : key => value if key != "$schema" }
  datasets = [for name in ["interactions", "users", "items"] : name if contains(keys(local.document), name)]

  # Terraform's jsonencode sorts keys and writes no spaces, like the canonical text of the Python package.
  text = jsonencode(local.document)

  events = {
    for call in ["track", "page", "screen"] : call => sort(distinct(flatten([
      for name in local.datasets : try(keys(local.document[name][call]), [])
    ])))
  }

  # Calls with a rule for events of any name.
  any_name = {
    for call in ["page", "screen"] : call => anytrue([
      for name in local.datasets : try(contains(keys(local.document[name]), "any_${call}"), false)
    ])
  }

  # Segment puts the names of track events in `event`, those of pages and screens in `name`.
  name_fields = { track = "event", page = "name", screen = "name" }

  # FQL doesn't document how to escape ' in '…', but accepts "…".
  literals = {
    for call, names in local.events : call => [
      for name in sort(distinct(concat(names, var.trigger_events))) : strcontains(name, "'")
      ? "\"${replace(replace(name, "\\", "\\\\"), "\"", "\\\"")}\""
      : "'${replace(name, "\\", "\\\\")}'"
    ]
  }

  # It omits conditions in rules (`when`), which the function applies.
  filters = concat(
    [
      for call in ["track", "page", "screen"] : lookup(local.any_name, call, false)
      ? "type = '${call}'"
      : "( type = '${call}' and ${local.name_fields[call]} in [${join(", ", local.literals[call])}] )"
      if lookup(local.any_name, call, false) || length(local.literals[call]) > 0
    ],
    contains(local.datasets, "users") ? ["type = 'identify'"] : [],
  )
}
