variable "name" {
  description = "Name of the stack, which begins all other names: 1 to 20 lower-case letters, digits and -."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Write 1 to 20 lower-case letters, digits and -, beginning with a letter, such as \"shop\"."
  }
}

variable "name_prefix" {
  description = "Name of the dashboard (null: the stack and the region, since dashboards are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Write `name_prefix` as 1 to 46 letters, digits, - and _, such as \"shop-eu\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "functions" {
  description = "Name and time-out of the function `event` and, where there is a profile queue, of `profiles`."
  type = map(object({
    name            = string
    timeout_seconds = number
  }))
  nullable = false

  validation {
    condition = (
      contains(keys(var.functions), "event") &&
      alltrue([for key in keys(var.functions) : contains(["event", "profiles"], key)])
    )
    error_message = "Write functions with the key event and, where there is a profile queue, the key profiles."
  }

  validation {
    condition     = alltrue([for one in values(var.functions) : one.timeout_seconds >= 1 && one.timeout_seconds <= 900])
    error_message = "Write timeout_seconds of functions from 1 to 900."
  }
}

variable "queues" {
  description = "Names of the queues of profiles, dead profiles and rejected events (null: not watched)."
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
  description = "Name of the Glue job that exports history (null: not watched)."
  type        = string
  default     = null
}

variable "state_machine_arn" {
  description = "ARN of the refresh's state machine (null: not watched)."
  type        = string
  default     = null

  validation {
    condition = var.state_machine_arn == null || can(
      regex("^arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:.+$", var.state_machine_arn)
    )
    error_message = "Write the ARN of a state machine: arn:aws:states:REGION:ACCOUNT:stateMachine:NAME."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics to notify when an alarm begins and ends."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.alarm_topic_arns : can(regex("^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))
    ])
    error_message = "Write ARNs of SNS topics, such as arn:aws:sns:eu-west-1:123456789012:on-call."
  }
}

variable "operations_url" {
  description = "Address of the operations document, to which every alarm's description leads."
  type        = string
  default     = "https://github.com/your-fork/segment-personalize/blob/main/docs/operations.md"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^\\s#]{1,200}$", var.operations_url))
    error_message = "Write operations_url with https://, without blanks and anchor (#…), in 200 characters at most."
  }
}

variable "thresholds" {
  description = "Hours without an event (0: no alarm) and recommendations per hour at which an alarm begins."
  type = object({
    silent_hours             = optional(number, 24)
    recommendations_per_hour = optional(number, 10000)
    write_backs_per_hour     = optional(number, 10000)
    # Gone, and kept for one release to be refused: Terraform would ignore them.
    errors_percent                = optional(number)
    throttles                     = optional(number)
    duration_percent              = optional(number)
    raised_percent                = optional(number)
    rejected_percent              = optional(number)
    recommendation_failed_percent = optional(number)
    write_back_failed_percent     = optional(number)
    queue_age_seconds             = optional(number)
    dead_letters                  = optional(number)
    rejected_age_days             = optional(number)
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

  validation {
    condition = alltrue([
      for name, value in var.thresholds :
      value == null || contains(["silent_hours", "recommendations_per_hour", "write_backs_per_hour"], name)
    ])
    error_message = join(" ", [
      "Remove all thresholds but `silent_hours`, `recommendations_per_hour` and `write_backs_per_hour`:",
      "every stack has those in the table of modules/monitoring/README.md.",
    ])
  }
}
