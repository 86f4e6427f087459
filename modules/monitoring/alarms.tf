# Each alarm as data: its meaning, the section of docs/operations.md with the remedy, its metrics, and the treatment of
# missing data. An alarm names each dimension of a metric, so only the dashboard can use SEARCH.
#
# Periods are five minutes. A share must be bad in two of three periods, so that a deployment or one retry by Segment
# wakes no one. A failure that should never happen raises its alarm at once.

locals {
  service = { service = var.name }
  own     = { namespace = local.metrics_namespace, stat = "Sum", dimensions = local.service }
  events  = merge(local.own, { name = "Events" })

  refreshes = { namespace = "AWS/States", stat = "Sum", dimensions = { StateMachineArn = var.state_machine_arn } }
  lambda = {
    for key, one in var.functions :
    key => { namespace = "AWS/Lambda", stat = "Sum", dimensions = { FunctionName = one.name } }
  }
  redelivered = {
    event    = "Segment resends those events for about four hours."
    profiles = "SQS redelivers those messages, then moves them to the dead-letter queue."
  }

  function_alarms = merge([
    for key, one in var.functions : {
      "${key}-errors" = {
        means      = "${one.name} fails more than 5% of its calls. ${local.redelivered[key]}"
        section    = "a-function-fails"
        expression = "100 * errors / calls"
        metrics = {
          errors = merge(local.lambda[key], { name = "Errors" })
          calls  = merge(local.lambda[key], { name = "Invocations" })
        }
        threshold = 5
        share     = true
        missing   = "notBreaching"
      }
      "${key}-throttles" = {
        means = join(" ", [
          "Lambda throttles ${one.name}: the account's or the function's concurrency is used up.",
          "The calls are retried later.",
        ])
        section    = "a-function-is-throttled"
        expression = null
        metrics    = { throttles = merge(local.lambda[key], { name = "Throttles" }) }
        threshold  = 1
        share      = true
        missing    = "notBreaching"
      }
      "${key}-duration" = {
        means = join(" ", [
          "One in a hundred calls of ${one.name} takes more than 80% of its timeout of ${one.timeout_seconds} s.",
          "Calls that exceed the timeout are stopped and retried.",
        ])
        section    = "a-function-is-slow"
        expression = null
        metrics    = { duration = merge(local.lambda[key], { name = "Duration", stat = "p99" }) }
        threshold  = one.timeout_seconds * 800
        share      = true
        missing    = "notBreaching"
      }
    }
  ]...)

  event_alarms = {
    events-raised = {
      means = join(" ", [
        "More than 5% of events can't be recorded now.",
        "Segment resends them for about four hours. After that, they are only in its logs.",
      ])
      section    = "events-are-raised"
      expression = "100 * FILL(raised, 0) / every"
      metrics = {
        raised = merge(local.events, { dimensions = merge(local.service, { decision = "raised" }) })
        every  = local.events
      }
      threshold = 5
      share     = true
      missing   = "notBreaching"
    }
    events-rejected = {
      means = join(" ", [
        "More than 5% of events are rejected, not counting events without a rule.",
        "The rejected queue keeps them, with the reason.",
      ])
      section    = "the-queue-of-rejected-events"
      expression = "100 * FILL(rejected, 0) / every"
      metrics = {
        rejected = merge(local.events, { dimensions = merge(local.service, { decision = "rejected" }) })
        every    = local.events
      }
      threshold = 5
      share     = true
      missing   = "notBreaching"
    }
    recommendations-failed = {
      means = join(" ", [
        "More than 20% of recommendation requests fail.",
        "Events are still recorded, and profiles keep their current list.",
      ])
      section    = "recommendations-fail"
      expression = "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(fetched, 0) + FILL(none, 0))"
      metrics    = local.recommendations
      threshold  = 20
      share      = true
      missing    = "notBreaching"
    }
    write-back-failed = {
      means = join(" ", [
        "Segment refuses more than 20% of recommendations.",
        "Events are still recorded, and profiles keep their current list.",
      ])
      section    = "write-back-fails"
      expression = "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(sent, 0))"
      metrics = {
        failed = merge(local.own, { name = "WriteBackFailed" })
        sent   = local.sent
      }
      threshold = 20
      share     = true
      missing   = "notBreaching"
    }
  }

  sent = merge(local.own, { name = "WriteBackSent" })
  recommendations = {
    failed  = merge(local.own, { name = "RecommendationFailed" })
    fetched = merge(local.own, { name = "RecommendationFetched" })
    none    = merge(local.own, { name = "RecommendationEmpty" })
  }

  # The remedy is the same if Segment never started calling, so the alarm is on until the first event.
  silence_alarms = {
    for key, one in {
      events-silent = {
        means      = "No event arrived for ${var.thresholds.silent_hours} h: Segment doesn't call the function."
        section    = "no-events-come"
        expression = "1 - FILL(calls, 0)"
        metrics    = { calls = merge(local.lambda.event, { name = "Invocations" }) }
        threshold  = 1
        hours      = var.thresholds.silent_hours
        # Lambda reports no data for a function that isn't called.
        missing = "breaching"
      }
    } : key => one if one.hours > 0
  }

  # Calls that are billed each. A rule or a loop that requests too often shows up here before it shows up on the bill.
  volume_alarms = {
    recommendations-many = {
      means = join(" ", [
        "More than ${var.thresholds.recommendations_per_hour} recommendations were requested in an hour.",
        "Personalize bills each of them.",
      ])
      section    = "more-recommendations-than-expected"
      expression = "FILL(fetched, 0) + FILL(none, 0) + FILL(failed, 0)"
      metrics    = local.recommendations
      threshold  = var.thresholds.recommendations_per_hour
      hours      = 1
      missing    = "notBreaching"
    }
    write-backs-many = {
      means = join(" ", [
        "More than ${var.thresholds.write_backs_per_hour} recommendations were written back in an hour.",
        "Segment counts each of them as an API call.",
      ])
      section    = "more-write-backs-than-expected"
      expression = null
      metrics    = { sent = local.sent }
      threshold  = var.thresholds.write_backs_per_hour
      hours      = 1
      missing    = "notBreaching"
    }
  }

  queue_alarms = {
    for key, one in {
      profiles-waiting = {
        means     = "Users and items wait more than 900 s to be sent to Personalize."
        section   = "profiles-wait"
        queue     = var.queues.profiles
        metric    = "ApproximateAgeOfOldestMessage"
        threshold = 900
        share     = true
      }
      profiles-dead = {
        means     = "The dead-letter queue holds users or items that failed too often."
        section   = "profiles-are-dead"
        queue     = var.queues.profiles_dead
        metric    = "ApproximateNumberOfMessagesVisible"
        threshold = 1
        share     = false
      }
      rejected-forgotten = {
        means     = "A rejected event is 10 days old. After 14 days SQS deletes it, and it is only in Segment's logs."
        section   = "the-queue-of-rejected-events"
        queue     = var.queues.rejected
        metric    = "ApproximateAgeOfOldestMessage"
        threshold = 10 * 24 * 60 * 60
        share     = false
      }
      } : key => merge(one, {
        expression = null
        metrics = {
          messages = {
            namespace  = "AWS/SQS"
            name       = one.metric
            dimensions = { QueueName = one.queue }
            stat       = "Maximum"
          }
        }
        # SQS reports no data for a queue that has been empty for hours.
        missing = "notBreaching"
    }) if one.queue != null
  }

  history_alarms = {
    for key, one in {
      history-failed = {
        means      = "A Glue job run failed or timed out. Training data is from the previous run."
        section    = "the-export-of-history-failed"
        of         = var.glue_job_name
        expression = null
        metrics = {
          failures = {
            namespace  = "AWS/Events"
            name       = "TriggeredRules"
            dimensions = { RuleName = local.rule_name }
            stat       = "Sum"
          }
        }
      }
      refresh-failed = {
        means      = "A refresh failed, timed out or was stopped. Personalize trains on data from the previous refresh."
        section    = "the-refresh-failed"
        of         = var.state_machine_arn
        expression = "FILL(failed, 0) + FILL(late, 0) + FILL(stopped, 0)"
        metrics = {
          failed  = merge(local.refreshes, { name = "ExecutionsFailed" })
          late    = merge(local.refreshes, { name = "ExecutionsTimedOut" })
          stopped = merge(local.refreshes, { name = "ExecutionsAborted" })
        }
      }
      # Only failed runs report data.
    } : key => merge(one, { threshold = 1, missing = "notBreaching" }) if one.of != null
  }

  alarms = merge(
    local.function_alarms,
    local.event_alarms,
    local.silence_alarms,
    local.volume_alarms,
    local.queue_alarms,
    local.history_alarms,
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.means} What to do: ${var.operations_url}#${each.value.section}"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = try(each.value.hours, try(each.value.share, false) ? 3 : 1)
  datapoints_to_alarm = try(each.value.hours, try(each.value.share, false) ? 2 : 1)
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = each.value.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = can(each.value.hours) ? 3600 : 300
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == null ? [] : [each.value.expression]

    content {
      id          = "alarm"
      label       = each.key
      expression  = metric_query.value
      return_data = true
    }
  }
}
