variable "path" {
  description = "Path of the event mapping, a JSON file with the grammar of docs/mapping.md."
  type        = string
  nullable    = false

  # Each rule lets pass what an earlier one refuses: Terraform 1.11 evaluates both sides of ||, hence try and can.
  validation {
    condition     = try(fileexists(var.path), false)
    error_message = "${var.path}: no such file. Write a mapping's path, such as \"$${path.root}/event_mapping.json\"."
  }

  validation {
    condition     = !try(fileexists(var.path), false) || can(keys(jsondecode(file(var.path))))
    error_message = "${var.path}: this isn't one JSON object. Write {…}, with composed letters and without comments."
  }
}

variable "trigger_events" {
  description = "Names of events without a rule that the filter lets through, as write-backs follow them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.trigger_events : name != "" && name != "*"])
    error_message = "A trigger event is the name of one event. Write it as Segment sends it, such as \"Cart Viewed\"."
  }
}
