# From top to bottom: is something wrong, is it the stack or Segment, what is it, and how did it develop.

locals {
  search = {
    for by, selection in {
      "decision,service"        = "service=\"${var.name}\"",
      "decision,reason,service" = "service=\"${var.name}\" NOT reason=\"none\"",
    } : by => "SEARCH('{${local.metrics_namespace},${by}} MetricName=\"Events\" ${selection}', 'Sum', 300)"
  }

  own_series = {
    for metric in [
      "RecommendationFetched", "RecommendationEmpty", "RecommendationFailed", "RecommendationUnprovisioned",
      "WriteBackSent", "WriteBackUnchanged", "WriteBackTooSoon", "WriteBackTooMany", "WriteBackFailed",
      "RowsInteractions", "RowsUsers", "RowsItems", "RowsUnprovisioned",
      "ProfilesRecorded", "ProfilesFailed", "ProfilesRejected",
      "TotalMilliseconds", "InteractionsMilliseconds", "RecommendMilliseconds", "WriteBackMilliseconds",
    ] : metric => [local.metrics_namespace, metric, "service", var.name]
  }

  panels = concat(
    [
      {
        title = "Events by decision"
        sets = {
          metrics = [[{ expression = local.search["decision,service"], label = "", id = "decisions" }]]
          view    = "timeSeries", stacked = true, stat = "Sum", period = 300
        }
      },
      {
        title = "Failed and throttled calls"
        sets = {
          metrics = concat(
            [for key, one in var.functions : ["AWS/Lambda", "Errors", "FunctionName", one.name]],
            [for key, one in var.functions : ["AWS/Lambda", "Throttles", "FunctionName", one.name]],
          )
          view = "timeSeries", stacked = false, stat = "Sum", period = 300
        }
      },
      {
        title = "Reasons of raised and rejected events"
        sets = {
          metrics = [[{ expression = local.search["decision,reason,service"], label = "", id = "reasons" }]]
          view    = "timeSeries", stacked = true, stat = "Sum", period = 300
        }
      },
      {
        title = "Milliseconds per event, p99 of each step"
        sets = {
          metrics = [
            for step in ["Total", "Interactions", "Recommend", "WriteBack"] : local.own_series["${step}Milliseconds"]
          ]
          view = "timeSeries", stacked = false, stat = "p99", period = 300
        }
      },
      {
        title = "Recommendations requested"
        sets = {
          metrics = [
            for outcome in ["Fetched", "Empty", "Failed", "Unprovisioned"] :
            local.own_series["Recommendation${outcome}"]
          ]
          view = "timeSeries", stacked = true, stat = "Sum", period = 300
        }
      },
      {
        title = "Recommendations written back"
        sets = {
          metrics = [
            for outcome in ["Sent", "Unchanged", "TooSoon", "TooMany", "Failed"] :
            local.own_series["WriteBack${outcome}"]
          ]
          view = "timeSeries", stacked = true, stat = "Sum", period = 300
        }
      },
      {
        title = "Rows recorded"
        sets = {
          metrics = [
            for kind in ["Interactions", "Users", "Items", "Unprovisioned"] : local.own_series["Rows${kind}"]
          ]
          view = "timeSeries", stacked = false, stat = "Sum", period = 300
        }
      },
      {
        title = "Users and items from the profile queue"
        sets = {
          metrics = [for outcome in ["Recorded", "Failed", "Rejected"] : local.own_series["Profiles${outcome}"]]
          view    = "timeSeries", stacked = false, stat = "Sum", period = 300
        }
      },
    ],
    [
      for panel in [{
        title = "Messages in the queues"
        sets = {
          metrics = [
            for queue in values(var.queues) :
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue] if queue != null
          ]
          view = "timeSeries", stacked = false, stat = "Maximum", period = 300
        }
      }] : panel if length(panel.sets.metrics) > 0
    ],
    [
      for arn in [var.state_machine_arn] : {
        title = "Refreshes"
        sets = {
          metrics = [
            for outcome in ["Started", "Succeeded", "Failed", "TimedOut"] :
            ["AWS/States", "Executions${outcome}", "StateMachineArn", arn]
          ]
          view = "timeSeries", stacked = false, stat = "Sum", period = 3600
        }
      } if arn != null
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = coalesce(var.name_prefix, "${var.name}-${local.region}")
  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type = "alarm", x = 0, y = 0, width = 24, height = 4
          properties = {
            title  = "Alarms of ${var.name}"
            alarms = values(local.alarm_arns)
            sortBy = "stateUpdatedTimestamp"
          }
        },
        {
          type = "text", x = 0, y = 4, width = 24, height = 1
          properties = {
            markdown = "Each alarm's description has its meaning and remedy. So does ${var.operations_url}."
          }
        },
      ],
      [
        for number, panel in local.panels : {
          type       = "metric", x = 12 * (number % 2), y = 5 + 6 * floor(number / 2), width = 12, height = 6
          properties = merge(panel.sets, { title = panel.title, region = local.region, yAxis = { left = { min = 0 } } })
        }
      ],
    )
  })
}
