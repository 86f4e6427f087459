# Problems of single keys, rules, fields, conditions and paths, with the same messages as `personalize-segment check`.
# The JSON of a value shows its type: a string starts with a quote, a list with a bracket, a number with a digit or -.

locals {
  # As in python/personalize_segment/contract/columns.py.
  types    = ["string", "categories", "float", "double", "int", "long", "boolean", "timestamp"]
  formats  = ["iso", "date", "epoch_seconds", "epoch_milliseconds"]
  ids      = ["USER_ID", "ITEM_ID", "RECOMMENDATION_ID"]
  lists    = ["ids", "categories"]
  visitors = ["stitch", "drop", "as_users"]
  required = { interactions = ["USER_ID", "ITEM_ID", "TIMESTAMP"], users = ["USER_ID"], items = ["ITEM_ID"] }
  reserved = {
    interactions = {
      USER_ID                  = "string"
      ITEM_ID                  = "string"
      TIMESTAMP                = "timestamp"
      EVENT_TYPE               = "string"
      EVENT_VALUE              = "float"
      IMPRESSION               = "ids"
      RECOMMENDATION_ID        = "string"
      EVENT_ATTRIBUTION_SOURCE = "string"
    }
    users = { USER_ID = "string" }
    items = { ITEM_ID = "string", CREATION_TIMESTAMP = "timestamp" }
  }
  column       = "^[A-Z][A-Z0-9_]{0,62}$"
  max_id       = 256
  max_string   = 1000
  max_elements = { least = 1, most = 10000 }
  # Checkov's parser doesn't support exponents.
  ranges = {
    float  = { least = tonumber("-3.4028234663852886e38"), most = tonumber("3.4028234663852886e38"), step = 0 }
    double = { least = tonumber("-1.7976931348623157e308"), most = tonumber("1.7976931348623157e308"), step = 0 }
    int    = { least = -2147483648, most = 2147483647, step = 1 }
    long   = { least = -9223372036854775808, most = 9223372036854775807, step = 1 }
  }

  comparisons   = ["at_least", "above", "at_most", "below"]
  flags         = ["optional", "categorical", "textual", "placeholders"]
  field_options = ["optional", "categorical", "textual", "format", "placeholders"]
  known = {
    document               = ["version", "interactions", "users", "items", "max_elements", "$schema"]
    interactions           = ["fields", "track", "page", "screen", "any_page", "any_screen", "session", "visitors"]
    users                  = ["fields", "track", "page", "screen", "any_page", "any_screen", "when"]
    items                  = ["fields", "track", "page", "screen", "any_page", "any_screen"]
    "rule of interactions" = ["each", "fields", "when", "event_type"]
    "rule of users"        = ["each", "fields", "when"]
    "rule of items"        = ["each", "fields", "when"]
    field                  = concat(["from", "value", "type"], local.field_options)
    condition              = concat(["present", "is"], local.comparisons)
  }

  of_objects = flatten([
    for one in local.objects : can(keys(one.value)) ? concat(
      [for key in one.required : "${one.at}: has no '${key}'. Add '${key}'." if !contains(keys(one.value), key)],
      [
        for key in keys(one.value) :
        "${one.at}${local.steps[key]}: is unknown. Use only ${join(", ", one.known)} here."
        if length(one.known) > 0 && !contains(one.known, key)
      ],
    ) : ["${one.at}: isn't a JSON object. Write {…}."]
  ])

  of_editors = [
    for schema in try([jsonencode(local.written["$schema"])], []) :
    "$[\"$schema\"]: isn't a string. Write the URL of the JSON Schema."
    if !startswith(schema, "\"")
  ]

  of_versions = [
    for version in try([jsonencode(local.document.version)], []) : "$.version: is ${version}. Write 1."
    if version != "1"
  ]

  of_max_elements = [
    for most in try([jsonencode(local.document.max_elements)], []) :
    "$.max_elements: is ${most}. Write an integer from ${local.max_elements.least} to ${local.max_elements.most}."
    if !try(
      can(regex("^[0-9]", most))
      && tonumber(most) >= local.max_elements.least
      && tonumber(most) <= local.max_elements.most
      && floor(tonumber(most)) == tonumber(most),
      false,
    )
  ]

  of_visitors = [
    for visitors in try([jsonencode(local.document.interactions.visitors)], []) :
    "$.interactions.visitors: is ${visitors}. Write one of ${join(", ", local.visitors)}."
    if !contains([for one in local.visitors : jsonencode(one)], visitors)
  ]

  of_rules = concat(
    [
      for one in local.bodies :
      "${one.at}: has no rule. Name at least one event, such as \"track\": {\"Product Viewed\": {}}."
      if one.dataset != "users" && can(keys(one.value)) && !contains(local.entries[*].dataset, one.dataset)
    ],
    [
      for one in local.entries : "${one.at}: is an empty list. Write at least one rule, or leave it out."
      if try(length(concat(one.value, [])) == 0, false)
    ],
    [
      for one in local.rules :
      "${one.at}${can(one.value.event_type) ? ".event_type" : ""}: ${local.no_event_type}"
      if one.dataset == "interactions" && can(keys(one.value)) && !try(
        startswith(jsonencode(one.event_type), "\"") && one.event_type != "" && length(one.event_type) <= local.max_id,
        false,
      )
    ],
    flatten([
      for one in concat(local.rules, local.identify) : [
        for name in local.required[one.dataset] :
        "${one.at}: has no ${name}. Add ${name} to it, or to $.${one.dataset}.fields for all rules."
        if !can(one.value.fields[name]) && !can(local.document[one.dataset].fields[name])
      ] if can(keys(one.value)) && can(keys(local.document[one.dataset].fields))
    ]),
  )
  # The fields of users are the rule of identify.
  identify      = [for one in local.bodies : merge(one, { at = "$.users.fields" }) if one.dataset == "users"]
  no_event_type = "isn't a valid event type. Write a string of 1 to ${local.max_id} characters."

  typed = [
    for one in local.fields : merge(one, {
      kind        = one.declared == null ? "" : trim(jsonencode(one.declared), "\"")
      categorical = try(one.value.categorical, one.inherited.categorical, false)
      textual     = try(one.value.textual, false)
      optional    = try(one.value.optional, false)
    }) if length(one.keys) > 0
  ]

  of_fields = concat(
    [
      for one in local.fields : join("", [
        "${one.at}: isn't a valid column name. ",
        "Write 1 to 63 uppercase letters, digits and _, beginning with a letter",
        can(regex(local.column, one.better)) ? ", such as ${one.better}." : ".",
      ])
      if !can(regex(local.column, one.name))
    ],
    [
      for one in local.fields :
      "${one.at}: isn't read from a path. Set \"event_type\" in the rules (default: the event's name)."
      if one.name == "EVENT_TYPE" && one.dataset == "interactions"
    ],
    [
      for one in local.fields : "${one.at}: has no 'from'. Add 'from'."
      if can(keys(one.value)) && !contains(one.keys, "from") && !contains(one.keys, "value")
    ],
    [
      for one in local.typed : "${one.at}.value: contradicts 'from'. Keep one of them."
      if contains(one.keys, "from") && contains(one.keys, "value")
    ],
    [
      for one in local.typed :
      "${one.at}.type: is '${one.kind}', but Personalize sets the type of this column. Leave \"type\" out."
      if one.reserved != null && one.kind != one.reserved
    ],
    [
      for one in local.typed : join("", [
        one.kind == "" ? "${one.at}.type: is missing. " : "${one.at}.type: is '${one.kind}'. ",
        "Write one of ${join(", ", local.types)}.",
      ])
      if one.reserved == null && !contains(local.types, one.kind)
    ],
    flatten([
      for one in local.typed : [
        for flag in local.flags : "${one.at}.${flag}: is neither true nor false. Write true or false."
        if contains(one.keys, flag) && !contains(["true", "false"], jsonencode(try(one.value[flag], null)))
      ]
    ]),
    [
      for one in local.typed :
      "${one.at}.optional: is true, but every row must have ${one.name}. Leave \"optional\" out."
      if one.required && one.optional == true
    ],
    flatten([
      for one in local.typed : [
        for flag in ["categorical", "textual"] :
        "${one.at}.${flag}: is only for string columns that aren't reserved. Leave \"${flag}\" out."
        if try(one.value[flag], false) == true && (one.reserved != null || one.kind != "string")
      ]
    ]),
    [
      for one in local.typed :
      "${one.at}.textual: is only for items' columns that aren't categorical. Leave \"textual\" out."
      if one.textual == true && (one.dataset != "items" || one.categorical == true)
    ],
    [
      for one in local.typed :
      "${one.at}.placeholders: is only for ${join(", ", local.ids)}. Leave \"placeholders\" out."
      if contains(one.keys, "placeholders") && !(contains(local.ids, one.name) && one.kind == "string")
    ],
    [
      for one in local.typed : join("", [
        "${one.at}.format: is ${jsonencode(one.value.format)}. ",
        "Write one of ${join(", ", local.formats)}, for timestamps.",
      ])
      if contains(one.keys, "format") && (
        one.kind != "timestamp" || !try(contains(local.formats, one.value.format), false)
      )
    ],
    [
      for one in local.typed : "${one.at}.from: ${local.no_list}"
      if contains(one.keys, "from") && !try(length(concat(one.value.from, [])) > 0, false)
    ],
    [
      for one in local.sessions : "${one.at}.from: ${local.no_list}"
      if contains(one.keys, "from") && !try(length(concat(one.value.from, [])) > 0, false)
    ],
  )
  no_list = "isn't a list of paths. Write at least one, such as [\"properties.sku\"]."

  constants = [
    for one in local.typed : merge(one, {
      constant = one.value.value
      json     = jsonencode(one.value.value)
      message  = "${one.at}.value: is ${jsonencode(one.value.value)}. Write a value of the type ${one.kind}."
    }) if contains(one.keys, "value") && !contains(one.keys, "from")
  ]

  of_constants = concat(
    [
      for one in local.constants : "${one.at}.value: can't be the same in every row for ${one.name}. Use \"from\"."
      if one.required || !contains(concat(["string", "boolean"], keys(local.ranges)), one.kind)
    ],
    flatten([
      for one in local.constants : [
        for key in ["optional", "format", "placeholders"] :
        "${one.at}.${key}: is only for values that come from a path. Leave \"${key}\" out." if contains(one.keys, key)
      ]
    ]),
    [
      for one in local.constants : one.message
      if one.kind == "string" && !try(
        startswith(one.json, "\"") && one.constant != "" && length(one.constant) <= local.max_string,
        false,
      )
    ],
    [
      for one in local.constants :
      "${one.at}.value: is ${one.json}. Write a string of at most ${local.max_id} characters."
      if contains(local.ids, one.name) && one.kind == "string" && try(length(one.constant) > local.max_id, false)
    ],
    [
      for one in local.constants : one.message
      if one.kind == "boolean" && !contains(["true", "false"], one.json)
    ],
    [
      for one in local.constants : one.message
      if contains(keys(local.ranges), one.kind) && !try(
        can(regex("^[-0-9]", one.json))
        && one.constant >= local.ranges[one.kind].least
        && one.constant <= local.ranges[one.kind].most
        && (local.ranges[one.kind].step == 0 || floor(one.constant) == one.constant),
        false,
      )
    ],
  )

  of_conditions = concat(
    [
      for one in local.conditions : "${one.at}.present: is neither true nor false. Write true or false."
      if join(" ", one.keys) == "present" && !contains(["true", "false"], jsonencode(try(one.value.present, 0)))
    ],
    [
      for one in local.conditions :
      "${one.at}.is: is ${jsonencode(one.value.is)}. Write a string, an integer, true or false, or a list."
      if join(" ", one.keys) == "is" && (length(one.is) == 0 || !alltrue([
        for constant in one.is : try(
          startswith(jsonencode(constant), "\"")
          ? constant != "" && length(constant) <= local.max_string
          : can(regex("^(true|false|-?[0-9]+)$", jsonencode(constant))),
          false,
        )
      ]))
    ],
    [
      for one in local.conditions :
      "${one.at}: isn't a valid condition. Write one of present, is, or some of ${join(", ", local.comparisons)}."
      if alltrue([
        can(keys(one.value)),
        !contains(["present", "is"], join(" ", one.keys)),
        length(one.keys) == 0 || contains(one.keys, "present") || contains(one.keys, "is"),
      ])
    ],
    flatten([
      for one in local.conditions : [
        for key in local.comparisons : "${one.at}.${key}: is ${jsonencode(one.value[key])}. Write a number."
        if contains(one.keys, key) && !can(regex("^[-0-9]", jsonencode(try(one.value[key], ""))))
      ]
    ]),
  )

  # Only paths that are strings.
  texts = [
    for one in local.paths :
    merge(one, { segments = one.value == "." ? [] : split(".", trimprefix(one.value, ".")) })
    if try(startswith(jsonencode(one.value), "\"") && one.value != "", false)
  ]

  of_paths = concat(
    [
      for one in local.paths : "${one.at}: isn't a path. Write a dotted path, such as \"properties.product_id\"."
      if !try(startswith(jsonencode(one.value), "\"") && one.value != "", false)
    ],
    [
      for one in local.texts : join("", [
        "${one.at}: '${one.value}' is relative, but has no element to start at. ",
        "Start from the event, such as 'properties.${try(coalesce(trim(one.value, ".")), "products")}'",
        endswith(one.at, "]") ? ", or use \"each\"." : ".",
      ])
      if startswith(one.value, ".") && !one.each
    ],
    [
      for one in local.texts : join("", [
        "${one.at}: '${one.value}' goes through an array. ",
        "Use one \"[]\", and only for IMPRESSION and categories.",
      ])
      if length([for segment in one.segments : segment if endswith(segment, "[]")]) > one.arrays
    ],
    [
      for one in local.texts :
      "${one.at}: '${one.value}' has an empty or * segment. Write names only, with one dot between them."
      if anytrue([for segment in one.segments : contains(["", "*"], trimsuffix(segment, "[]"))])
    ],
  )

  problems = concat(
    local.of_editors,
    local.of_versions,
    local.of_objects,
    local.of_max_elements,
    local.of_visitors,
    local.of_rules,
    local.of_fields,
    local.of_constants,
    local.of_conditions,
    local.of_paths,
  )
}
