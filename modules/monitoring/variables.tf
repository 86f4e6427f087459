variable "name" {
  description = "Name of the stack, which begins every name here: 1 to 20 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write a name of 1 to 20 lower-case letters, digits and hyphens that begins with a letter and does not end in a hyphen, such as \"shop\"."
  }
}

variable "name_prefix" {
  description = "Name of the dashboard. Null: the name of the stack and the region, since dashboards are global to the account."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", coalesce(var.name_prefix, "shop")))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "functions" {
  description = "The Lambda functions by what they do: event (handler segment_event) and, where there is one, profiles (handler profile_batch)."
  type = map(object({
    name            = string
    timeout_seconds = number
  }))
  nullable = false

  validation {
    condition     = contains(keys(var.functions), "event") && alltrue([for key in keys(var.functions) : contains(["event", "profiles"], key)])
    error_message = "Write functions with the key event and, if there is a consumer of the profile queue, the key profiles."
  }

  validation {
    condition     = alltrue([for one in values(var.functions) : one.timeout_seconds >= 1 && one.timeout_seconds <= 900])
    error_message = "Write timeout_seconds of functions from 1 to 900."
  }
}

variable "queues" {
  description = "Names of the queues: profiles (users and items on their way), profiles_dead (those that failed too often), rejected (refused events); null for a queue that is not there."
  type = object({
    profiles      = optional(string)
    profiles_dead = optional(string)
    rejected      = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue == null || !can(regex("[:/]", queue))])
    error_message = "Write names of queues, not ARNs or URLs: \"shop-profiles\"."
  }
}

variable "glue_job_name" {
  description = "Name of the Glue job that exports history; null for none."
  type        = string
  default     = null
}

variable "state_machine_arn" {
  description = "ARN of the state machine of the refresh; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.state_machine_arn == null || can(regex("^arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:.+$", var.state_machine_arn))
    error_message = "Write state_machine_arn as the ARN of a state machine, such as \"arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh\"."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics that hear when an alarm begins and when it ends; without any, alarms are seen in CloudWatch only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))])
    error_message = "Write ARNs of SNS topics in alarm_topic_arns, such as \"arn:aws:sns:eu-west-1:123456789012:on-call\"."
  }
}

variable "operations_url" {
  description = "Address of the operations document; every alarm's description ends in it and the section's anchor."
  type        = string
  default     = "docs/operations.md"
  nullable    = false

  validation {
    condition     = can(regex("^[^\\s#]{1,200}$", var.operations_url))
    error_message = "Write operations_url without blanks and without an anchor (#…), with 200 characters at most."
  }
}

variable "thresholds" {
  description = "Hours without an event (0: no alarm), and recommendations in an hour, after which an alarm begins."
  type = object({
    silent_hours             = optional(number, 24)
    recommendations_per_hour = optional(number, 10000)
    write_backs_per_hour     = optional(number, 10000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(range(0, 25), var.thresholds.silent_hours)
    error_message = "Write `silent_hours` as a whole number from 0 to 24; with 0 there is no alarm."
  }

  validation {
    condition     = var.thresholds.recommendations_per_hour >= 1 && var.thresholds.write_backs_per_hour >= 1
    error_message = "Write `recommendations_per_hour` and `write_backs_per_hour` as 1 or more."
  }
}
