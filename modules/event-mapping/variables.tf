variable "path" {
  description = "Path of the event mapping, a JSON file as described in docs/mapping.md."
  type        = string
  nullable    = false

  # Each rule accepts what an earlier one refuses. Terraform 1.11 evaluates both sides of ||, hence try and can.
  validation {
    condition     = try(fileexists(var.path), false)
    error_message = "${var.path}: no such file. Set a mapping's path, such as \"$${path.root}/event_mapping.json\"."
  }

  validation {
    condition     = !try(fileexists(var.path), false) || can(keys(jsondecode(file(var.path))))
    error_message = "${var.path}: isn't a JSON object. Write {…}, with composed letters and without comments."
  }
}

variable "trigger_events" {
  description = "Names of events without a rule that the filter lets through because they trigger write-backs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.trigger_events : name != "" && name != "*"])
    error_message = "Use event names as Segment sends them, such as \"Cart Viewed\"."
  }
}
