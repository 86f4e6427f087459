variable "name" {
  description = "Name of the stack, and prefix of all other names: 1 to 20 lowercase letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Use 1 to 20 lowercase letters, digits and hyphens, starting with a letter, such as \"shop\"."
  }
}

variable "name_prefix" {
  description = "Name of the dashboard (null: stack name and region, because dashboard names are global)."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,45}$", var.name_prefix))
    error_message = "Set `name_prefix` to 1 to 46 letters, digits, hyphens and underscores, such as \"shop-eu\"."
  }
}

variable "tags" {
  description = "Tags for all taggable resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "functions" {
  description = "Name and timeout of the function `event` and, with a profile queue, of `profiles`."
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
    error_message = "Set `functions.event` and, with a profile queue, `functions.profiles`."
  }

  validation {
    condition     = alltrue([for one in values(var.functions) : one.timeout_seconds >= 1 && one.timeout_seconds <= 900])
    error_message = "Set `timeout_seconds` of each function to a number from 1 to 900."
  }
}

variable "queues" {
  description = "Names of the profile queue, its dead-letter queue and the rejected queue (null: not monitored)."
  type = object({
    profiles      = optional(string)
    profiles_dead = optional(string)
    rejected      = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue == null || !can(regex("[:/]", queue))])
    error_message = "Use names of queues, not ARNs or URLs: \"shop-profiles\"."
  }
}

variable "glue_job_name" {
  description = "Name of the Glue job that exports history (null: not monitored)."
  type        = string
  default     = null
}

variable "state_machine_arn" {
  description = "ARN of the refresh's state machine (null: not monitored)."
  type        = string
  default     = null

  validation {
    condition = var.state_machine_arn == null || can(
      regex("^arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:.+$", var.state_machine_arn)
    )
    error_message = "Use the ARN of a state machine: arn:aws:states:REGION:ACCOUNT:stateMachine:NAME."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics to notify when an alarm starts and ends."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.alarm_topic_arns : can(regex("^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))
    ])
    error_message = "Use ARNs of SNS topics, such as arn:aws:sns:eu-west-1:123456789012:on-call."
  }
}

variable "operations_url" {
  description = "URL of docs/operations.md, which every alarm description links to."
  type        = string
  default     = "https://github.com/your-fork/segment-personalize/blob/v1.0.0/docs/operations.md"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^\\s#]{1,200}$", var.operations_url))
    error_message = "Start `operations_url` with https://, without spaces or an anchor (#…), 200 characters at most."
  }
}

variable "thresholds" {
  description = "Hours without events (0: no alarm) and hourly recommendations that raise an alarm."
  type = object({
    silent_hours             = optional(number, 24)
    recommendations_per_hour = optional(number, 10000)
    write_backs_per_hour     = optional(number, 10000)
    # Removed. Kept for one release and refused, because Terraform ignores unknown attributes.
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
    error_message = "Set `silent_hours` to a whole number from 0 to 24. 0 disables the alarm."
  }

  validation {
    condition     = var.thresholds.recommendations_per_hour >= 1 && var.thresholds.write_backs_per_hour >= 1
    error_message = "Set `recommendations_per_hour` and `write_backs_per_hour` to 1 or more."
  }

  validation {
    condition = alltrue([
      for name, value in var.thresholds :
      value == null || contains(["silent_hours", "recommendations_per_hour", "write_backs_per_hour"], name)
    ])
    error_message = join(" ", [
      "Remove all thresholds except `silent_hours`, `recommendations_per_hour` and `write_backs_per_hour`.",
      "The others are fixed: modules/monitoring/README.md lists them.",
    ])
  }
}
