# The parts of the mapping that problems.tf checks, each with its JSON path (`at`). `try` reads other values as an empty
# object or list. local.objects or a problem reports them.

locals {
  # Key -> its step in a JSON path. A string followed by a colon is a key.
  steps = {
    for token in distinct(regexall("\"(?:[^\"\\\\]|\\\\.)*\":?", local.text)) :
    jsondecode(trimsuffix(token, ":")) => can(regex("^\"\\w+\":$", token))
    ? ".${jsondecode(trimsuffix(token, ":"))}"
    : "[${trimsuffix(token, ":")}]"
    if endswith(token, ":")
  }

  bodies = [
    for dataset in local.datasets : { dataset = dataset, at = "$.${dataset}", value = local.document[dataset] }
  ]

  # The rule or the list of rules of a name, or of any name.
  entries = flatten([
    for one in local.bodies : concat(
      flatten([
        for call in ["track", "page", "screen"] : [
          for name in try(keys(one.value[call]), []) :
          merge(one, { at = "${one.at}.${call}${local.steps[name]}", name = name, value = one.value[call][name] })
        ]
      ]),
      [
        for key in ["any_page", "any_screen"] :
        merge(one, { at = "${one.at}.${key}", name = null, value = one.value[key] }) if can(one.value[key])
      ],
    )
  ])
  rules = flatten([
    for one in local.entries : [
      for index, value in try(concat(one.value, []), [one.value]) : merge(one, {
        at         = can(concat(one.value, [])) ? "${one.at}[${index}]" : one.at
        value      = value
        event_type = try(value.event_type, one.name)
      })
    ]
  ])

  fields = flatten([
    for one in concat(local.bodies, local.rules) : [
      for name in try(keys(one.value.fields), []) : {
        dataset  = one.dataset
        at       = "${one.at}.fields${local.steps[name]}"
        name     = name
        value    = one.value.fields[name]
        keys     = try(keys(one.value.fields[name]), [])
        each     = can(one.value.each)
        reserved = try(local.reserved[one.dataset][name], null)
        required = contains(local.required[one.dataset], name)
        # A valid column name similar to this one, if this one is ASCII.
        better = upper(trim(replace(name, "/[\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f]+/", "_"), "_"))
        # A rule's field inherits from the dataset's field.
        inherited = try({ for key, value in local.document[one.dataset].fields[name] : key => value }, {})
        declared = try(
          one.value.fields[name].type,
          local.reserved[one.dataset][name],
          local.document[one.dataset].fields[name].type,
          null,
        )
      }
    ]
  ])

  conditions = flatten([
    for one in concat(local.bodies, local.rules) : [
      for path in try(keys(one.value.when), []) : {
        at    = "${one.at}.when${local.steps[path]}"
        when  = "${one.at}.when"
        path  = path
        value = one.value.when[path]
        keys  = try(keys(one.value.when[path]), [])
        is    = try(concat(one.value.when[path].is, []), [one.value.when[path].is], [])
      }
    ]
  ])

  sessions = [
    for value in try([local.document.interactions.session], []) :
    { at = "$.interactions.session", value = value, keys = try(keys(value), []), each = false, kind = "string" }
  ]

  # `arrays` is how many [] a path may have.
  paths = concat(
    [
      for one in local.rules : { at = "${one.at}.each", value = one.value.each, each = false, arrays = 0 }
      if can(one.value.each)
    ],
    [for one in local.conditions : { at = one.when, value = one.path, each = false, arrays = 0 }],
    flatten([
      for one in concat(local.typed, local.sessions) : [
        for index, path in try(concat(one.value.from, []), []) : {
          at     = "${one.at}.from[${index}]"
          value  = path
          each   = one.each
          arrays = contains(local.lists, one.kind) ? 1 : 0
        }
      ]
    ]),
  )

  # All objects, with their required and allowed keys. If no keys are listed, the keys are names.
  objects = concat(
    [{ at = "$", value = local.document, required = ["version", "interactions"], known = local.known.document }],
    [for one in local.bodies : merge(one, { required = ["fields"], known = local.known[one.dataset] })],
    [for one in local.sessions : merge(one, { required = ["from"], known = ["from"] })],
    [for one in local.rules : merge(one, { required = [], known = local.known["rule of ${one.dataset}"] })],
    [for one in local.fields : merge(one, { required = [], known = local.known.field })],
    [for one in local.conditions : merge(one, { required = [], known = local.known.condition })],
    flatten([
      for one in concat(local.bodies, local.rules) : [
        for key in ["fields", "when", "track", "page", "screen"] :
        { at = "${one.at}.${key}", value = one.value[key], required = [], known = [] } if can(one.value[key])
      ]
    ]),
  )
}
