# Every alarm as data: what it means, the section of the operations document that says what to do, the metrics, and
# what missing data means. An alarm names each dimension of a metric, so SEARCH is for the dashboard only.
#
# Periods are five minutes. Of shares, two of three have to be bad: a deployment or one retry of Segment's is no reason
# to wake somebody. Of what should never happen, one is enough.

locals {
  service = { service = coalesce(var.metrics_service, var.name) }
  own     = { namespace = var.metrics_namespace, stat = "Sum" }

  function_alarms = merge([
    for key, one in var.functions : {
      "${key}-errors" = {
        means      = "${one.name} fails more than ${var.thresholds.errors_percent} % of its calls. ${key == "event" ? "Segment sends those events again for about four hours." : "SQS delivers those messages again, then to the dead-letter queue."}"
        section    = "a-function-fails"
        expression = "100 * errors / calls"
        metrics = {
          errors = { namespace = "AWS/Lambda", name = "Errors", dimensions = { FunctionName = one.name }, stat = "Sum" }
          calls  = { namespace = "AWS/Lambda", name = "Invocations", dimensions = { FunctionName = one.name }, stat = "Sum" }
        }
        threshold = var.thresholds.errors_percent
        share     = true
        missing   = "notBreaching"
      }
      "${key}-throttles" = {
        means      = "Lambda refuses calls of ${one.name}: the account's or the function's concurrency is used up. They come again later."
        section    = "a-function-is-throttled"
        expression = null
        metrics    = { throttles = { namespace = "AWS/Lambda", name = "Throttles", dimensions = { FunctionName = one.name }, stat = "Sum" } }
        threshold  = var.thresholds.throttles
        share      = true
        missing    = "notBreaching"
      }
      "${key}-duration" = {
        means      = "One of a hundred calls of ${one.name} takes more than ${var.thresholds.duration_percent} % of its ${one.timeout_seconds} s. What takes longer than that is cut off and comes again."
        section    = "a-function-is-slow"
        expression = null
        metrics    = { duration = { namespace = "AWS/Lambda", name = "Duration", dimensions = { FunctionName = one.name }, stat = "p99" } }
        threshold  = one.timeout_seconds * 10 * var.thresholds.duration_percent
        share      = true
        missing    = "notBreaching"
      }
    }
  ]...)

  event_alarms = {
    events-raised = {
      means      = "More than ${var.thresholds.raised_percent} % of the events can't be recorded now. Segment sends them again for about four hours, then they are in its logs only."
      section    = "events-are-raised"
      expression = "100 * FILL(raised, 0) / every"
      metrics = {
        raised = merge(local.own, { name = "Events", dimensions = merge(local.service, { decision = "raised" }) })
        every  = merge(local.own, { name = "Events", dimensions = local.service })
      }
      threshold = var.thresholds.raised_percent
      share     = true
      missing   = "notBreaching"
    }
    events-rejected = {
      means      = "More than ${var.thresholds.rejected_percent} % of the events are refused for good, not counting those without a rule. They are kept in the queue of rejected events, with the reason."
      section    = "the-queue-of-rejected-events"
      expression = "100 * FILL(rejected, 0) / every"
      metrics = {
        rejected = merge(local.own, { name = "Events", dimensions = merge(local.service, { decision = "rejected" }) })
        every    = merge(local.own, { name = "Events", dimensions = local.service })
      }
      threshold = var.thresholds.rejected_percent
      share     = true
      missing   = "notBreaching"
    }
    recommendations-failed = {
      means      = "More than ${var.thresholds.recommendation_failed_percent} % of the requests for recommendations fail. Events are recorded all the same; profiles keep the list they have."
      section    = "recommendations-fail"
      expression = "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(fetched, 0) + FILL(none, 0))"
      metrics = {
        failed  = merge(local.own, { name = "RecommendationFailed", dimensions = local.service })
        fetched = merge(local.own, { name = "RecommendationFetched", dimensions = local.service })
        none    = merge(local.own, { name = "RecommendationEmpty", dimensions = local.service })
      }
      threshold = var.thresholds.recommendation_failed_percent
      share     = true
      missing   = "notBreaching"
    }
    write-back-failed = {
      means      = "Segment doesn't take more than ${var.thresholds.write_back_failed_percent} % of the recommendations. Events are recorded all the same; profiles keep the list they have."
      section    = "write-back-fails"
      expression = "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(sent, 0))"
      metrics = {
        failed = merge(local.own, { name = "WriteBackFailed", dimensions = local.service })
        sent   = merge(local.own, { name = "WriteBackSent", dimensions = local.service })
      }
      threshold = var.thresholds.write_back_failed_percent
      share     = true
      missing   = "notBreaching"
    }
  }

  # Whether Segment stopped calling or never began, the remedy is the same: so it is in alarm until the first event.
  silence_alarms = {
    for key, hours in { events-silent = var.thresholds.silent_hours } : key => {
      means                           = "No event came for ${hours} h: Segment doesn't call."
      section                         = "no-events-come"
      expression                      = "1 - FILL(calls, 0)"
      metrics                         = { calls = { namespace = "AWS/Lambda", name = "Invocations", dimensions = { FunctionName = var.functions["event"].name }, stat = "Sum" } }
      threshold                       = 1
      hours                           = hours
      # Nothing is what Lambda reports of a function that nobody calls.
      missing = "breaching"
    } if hours > 0
  }

  # What costs money by the piece. A rule or a loop that asks too often shows here first, and on the bill last.
  volume_alarms = {
    recommendations-many = {
      means      = "More than ${var.thresholds.recommendations_per_hour} recommendations were asked for in an hour. Personalize bills each."
      section    = "more-recommendations-than-expected"
      expression = "FILL(fetched, 0) + FILL(none, 0) + FILL(failed, 0)"
      metrics = {
        fetched = merge(local.own, { name = "RecommendationFetched", dimensions = local.service })
        none    = merge(local.own, { name = "RecommendationEmpty", dimensions = local.service })
        failed  = merge(local.own, { name = "RecommendationFailed", dimensions = local.service })
      }
      threshold = var.thresholds.recommendations_per_hour
      hours     = 1
      missing   = "notBreaching"
    }
    write-backs-many = {
      means      = "More than ${var.thresholds.write_backs_per_hour} recommendations were written back in an hour. Segment counts each as a call."
      section    = "more-write-backs-than-expected"
      expression = null
      metrics    = { sent = merge(local.own, { name = "WriteBackSent", dimensions = local.service }) }
      threshold  = var.thresholds.write_backs_per_hour
      hours      = 1
      missing    = "notBreaching"
    }
  }

  queue_alarms = merge(
    { for key, queue in { profiles-waiting = var.queues.profiles } : key => {
      means                                = "Users and items wait more than ${var.thresholds.queue_age_seconds} s for Personalize."
      section                              = "profiles-wait"
      expression                           = null
      metrics                              = { age = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = queue }, stat = "Maximum" } }
      threshold                            = var.thresholds.queue_age_seconds
      share                                = true
      # SQS reports nothing of a queue that was empty for hours.
      missing = "notBreaching"
    } if queue != null },
    { for key, queue in { profiles-dead = var.queues.profiles_dead } : key => {
      means                             = "Users or items failed too often and lie in the dead-letter queue."
      section                           = "profiles-are-dead"
      expression                        = null
      metrics                           = { messages = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = queue }, stat = "Maximum" } }
      threshold                         = var.thresholds.dead_letters
      missing                           = "notBreaching"
    } if queue != null },
    { for key, queue in { rejected-forgotten = var.queues.rejected } : key => {
      means                                  = "A rejected event is ${var.thresholds.rejected_age_days} days old. After 14 days SQS forgets it, and it is in Segment's logs only."
      section                                = "the-queue-of-rejected-events"
      expression                             = null
      metrics                                = { age = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = queue }, stat = "Maximum" } }
      threshold                              = var.thresholds.rejected_age_days * 86400
      missing                                = "notBreaching"
    } if queue != null },
  )

  history_alarms = merge(
    { for key, job in { history-failed = var.glue_job_name } : key => {
      means                            = "A run of the Glue job ${job} failed or timed out: the training data is that of the run before."
      section                          = "the-export-of-history-failed"
      expression                       = null
      metrics                          = { failures = { namespace = "AWS/Events", name = "TriggeredRules", dimensions = { RuleName = local.rule_name }, stat = "Sum" } }
      threshold                        = 1
      # There is data only of a run that failed; the same goes for the refresh.
      missing = "notBreaching"
    } if job != null },
    { for key, arn in { refresh-failed = var.state_machine_arn } : key => {
      means                            = "A refresh failed, timed out or was stopped: Personalize trains with the data of the one before."
      section                          = "the-refresh-failed"
      expression                       = "FILL(failed, 0) + FILL(late, 0) + FILL(stopped, 0)"
      metrics = {
        failed  = { namespace = "AWS/States", name = "ExecutionsFailed", dimensions = { StateMachineArn = arn }, stat = "Sum" }
        late    = { namespace = "AWS/States", name = "ExecutionsTimedOut", dimensions = { StateMachineArn = arn }, stat = "Sum" }
        stopped = { namespace = "AWS/States", name = "ExecutionsAborted", dimensions = { StateMachineArn = arn }, stat = "Sum" }
      }
      threshold = 1
      missing   = "notBreaching"
    } if arn != null },
  )

  alarms = merge(local.function_alarms, local.event_alarms, local.silence_alarms, local.volume_alarms, local.queue_alarms, local.history_alarms)
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
