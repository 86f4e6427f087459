variable "path" {
  description = "Path of the event mapping, a JSON file; docs/mapping.md has its grammar."
  type        = string
  nullable    = false

  # Each rule lets pass what an earlier one refuses: Terraform 1.11 evaluates both sides of ||, hence try and can.
  validation {
    condition     = try(fileexists(var.path), false)
    error_message = "${var.path}: there is no such file. Write the path of an event mapping, such as \"$${path.root}/event_mapping.json\"."
  }

  validation {
    condition     = !try(fileexists(var.path), false) || can(keys(jsondecode(file(var.path))))
    error_message = "${var.path}: this is not one JSON object. Write {…} as in docs/mapping.md, without comments and trailing commas."
  }

  validation {
    condition     = !can(keys(jsondecode(file(var.path)))) || try(jsondecode(file(var.path)).version == 1, false)
    error_message = "${var.path}: the version is missing or unknown. Write \"version\": 1, a number."
  }

  validation {
    condition     = !can(keys(jsondecode(file(var.path)))) || can(keys(jsondecode(file(var.path)).interactions))
    error_message = "${var.path}: there are no interactions. Add \"interactions\": {…}; users and items may be left out."
  }

  validation {
    condition = try(
      length(setsubtract(keys(jsondecode(file(var.path))), ["version", "interactions", "users", "items"])) == 0, true
    )
    error_message = "${var.path}: there is an unknown key at the top. Use only version, interactions, users and items there."
  }
}

variable "trigger_events" {
  description = "Names of events without a rule that the destination filter lets through, since recommendations are written back after them (write_back_events)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.trigger_events : name != "" && name != "*"])
    error_message = "A trigger event is the name of one event. Write it as Segment sends it, such as \"Cart Viewed\"."
  }
}
