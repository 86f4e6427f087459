provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 1
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name      = "shop"
  functions = { event = { name = "shop-event", timeout_seconds = 5 } }
}

run "with_everything" {
  command = plan

  variables {
    functions = {
      event    = { name = "shop-event", timeout_seconds = 5 }
      profiles = { name = "shop-profiles", timeout_seconds = 60 }
    }
    queues            = { profiles = "shop-profiles", profiles_dead = "shop-profiles-dead", rejected = "shop-rejected" }
    glue_job_name     = "shop-history"
    state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    thresholds        = { silent_hours = 6 }
    tags              = { team = "shop" }
  }

  assert {
    condition = alltrue([
      for one in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_event_rule.history_failed[*]) :
      one.tags == tomap({ team = "shop" })
    ])
    error_message = "All of it is tagged."
  }

  # Threshold, how many of how many periods, seconds of a period, missing data, the expression and each metric.
  assert {
    condition = {
      for key, one in aws_cloudwatch_metric_alarm.this : key => concat(
        [join(" ", [
          one.threshold,
          "${one.datapoints_to_alarm}/${one.evaluation_periods}",
          join(
            "",
            distinct([for query in one.metric_query : tostring(one(query.metric).period) if query.id != "alarm"])
          ),
          one.treat_missing_data,
        ])],
        [for query in one.metric_query : query.expression if query.id == "alarm"],
        sort([for query in one.metric_query : join(" ", concat(
          ["${query.id}:"],
          [for key in ["namespace", "metric_name", "stat"] : one(query.metric)[key]],
          [for name, value in one(query.metric).dimensions : "${name}=${value}"],
        )) if query.id != "alarm"]),
      )
      } == {
      event-errors = [
        "5 2/3 300 notBreaching",
        "100 * errors / calls",
        "calls: AWS/Lambda Invocations Sum FunctionName=shop-event",
        "errors: AWS/Lambda Errors Sum FunctionName=shop-event",
      ]
      event-throttles = [
        "1 2/3 300 notBreaching",
        "throttles: AWS/Lambda Throttles Sum FunctionName=shop-event",
      ]
      event-duration = [
        "4000 2/3 300 notBreaching",
        "duration: AWS/Lambda Duration p99 FunctionName=shop-event",
      ]
      profiles-errors = [
        "5 2/3 300 notBreaching",
        "100 * errors / calls",
        "calls: AWS/Lambda Invocations Sum FunctionName=shop-profiles",
        "errors: AWS/Lambda Errors Sum FunctionName=shop-profiles",
      ]
      profiles-throttles = [
        "1 2/3 300 notBreaching",
        "throttles: AWS/Lambda Throttles Sum FunctionName=shop-profiles",
      ]
      profiles-duration = [
        "48000 2/3 300 notBreaching",
        "duration: AWS/Lambda Duration p99 FunctionName=shop-profiles",
      ]
      events-raised = [
        "5 2/3 300 notBreaching",
        "100 * FILL(raised, 0) / every",
        "every: PersonalizeSegment Events Sum service=shop",
        "raised: PersonalizeSegment Events Sum decision=raised service=shop",
      ]
      events-rejected = [
        "5 2/3 300 notBreaching",
        "100 * FILL(rejected, 0) / every",
        "every: PersonalizeSegment Events Sum service=shop",
        "rejected: PersonalizeSegment Events Sum decision=rejected service=shop",
      ]
      recommendations-failed = [
        "20 2/3 300 notBreaching",
        "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(fetched, 0) + FILL(none, 0))",
        "failed: PersonalizeSegment RecommendationFailed Sum service=shop",
        "fetched: PersonalizeSegment RecommendationFetched Sum service=shop",
        "none: PersonalizeSegment RecommendationEmpty Sum service=shop",
      ]
      write-back-failed = [
        "20 2/3 300 notBreaching",
        "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(sent, 0))",
        "failed: PersonalizeSegment WriteBackFailed Sum service=shop",
        "sent: PersonalizeSegment WriteBackSent Sum service=shop",
      ]
      events-silent = [
        "1 6/6 3600 breaching",
        "1 - FILL(calls, 0)",
        "calls: AWS/Lambda Invocations Sum FunctionName=shop-event",
      ]
      recommendations-many = [
        "10000 1/1 3600 notBreaching",
        "FILL(fetched, 0) + FILL(none, 0) + FILL(failed, 0)",
        "failed: PersonalizeSegment RecommendationFailed Sum service=shop",
        "fetched: PersonalizeSegment RecommendationFetched Sum service=shop",
        "none: PersonalizeSegment RecommendationEmpty Sum service=shop",
      ]
      write-backs-many = [
        "10000 1/1 3600 notBreaching",
        "sent: PersonalizeSegment WriteBackSent Sum service=shop",
      ]
      profiles-waiting = [
        "900 2/3 300 notBreaching",
        "messages: AWS/SQS ApproximateAgeOfOldestMessage Maximum QueueName=shop-profiles",
      ]
      profiles-dead = [
        "1 1/1 300 notBreaching",
        "messages: AWS/SQS ApproximateNumberOfMessagesVisible Maximum QueueName=shop-profiles-dead",
      ]
      rejected-forgotten = [
        "864000 1/1 300 notBreaching",
        "messages: AWS/SQS ApproximateAgeOfOldestMessage Maximum QueueName=shop-rejected",
      ]
      history-failed = [
        "1 1/1 300 notBreaching",
        "failures: AWS/Events TriggeredRules Sum RuleName=shop-history-failed",
      ]
      refresh-failed = [
        "1 1/1 300 notBreaching",
        "FILL(failed, 0) + FILL(late, 0) + FILL(stopped, 0)",
        "failed: AWS/States ExecutionsFailed Sum StateMachineArn=${var.state_machine_arn}",
        "late: AWS/States ExecutionsTimedOut Sum StateMachineArn=${var.state_machine_arn}",
        "stopped: AWS/States ExecutionsAborted Sum StateMachineArn=${var.state_machine_arn}",
      ]
    }
    error_message = "An alarm is missing, is one too many, or begins at another point."
  }

  assert {
    condition = alltrue([
      for key, one in aws_cloudwatch_metric_alarm.this :
      one.alarm_name == "shop-${key}" && one.comparison_operator == "GreaterThanOrEqualToThreshold" &&
      [for query in one.metric_query : query.id if query.return_data] == [
        length(one.metric_query) == 1 ? one(one.metric_query).id : "alarm"
      ]
    ])
    error_message = "An alarm has another name, or is about something else than its expression or only metric."
  }

  assert {
    condition = output.alarms == {
      for key in keys(aws_cloudwatch_metric_alarm.this) :
      key => "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-${key}"
    }
    error_message = "The output has another form."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.history_failed[0].event_pattern) == {
      source      = ["aws.glue"]
      detail-type = ["Glue Job State Change"]
      detail      = { jobName = ["shop-history"], state = ["FAILED", "TIMEOUT"] }
    }
    error_message = "The rule matches something else."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.history_failed[0].name == "shop-history-failed"
    error_message = "The alarm doesn't count the rule."
  }

  # Alarms are on top of the dashboard and events next.
  assert {
    condition = (
      aws_cloudwatch_dashboard.this.dashboard_name == "shop-eu-west-1" &&
      jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].type == "alarm" &&
      jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].y == 0 &&
      sort(
        jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.alarms
      ) == sort(values(output.alarms))
    )
    error_message = "Alarms must be at the top."
  }
  assert {
    condition = jsondecode(
      aws_cloudwatch_dashboard.this.dashboard_body
      ).widgets[2].properties.metrics[0][0].expression == join(" ", [
        "SEARCH('{PersonalizeSegment,decision,service} MetricName=\"Events\" service=\"shop\"',",
        "'Sum', 300)",
    ])
    error_message = "Decisions on events must come second."
  }
  assert {
    condition = jsondecode(
      aws_cloudwatch_dashboard.this.dashboard_body
      ).widgets[4].properties.metrics[0][0].expression == join(" ", [
        "SEARCH('{PersonalizeSegment,decision,reason,service} MetricName=\"Events\"",
        "service=\"shop\" NOT reason=\"none\"', 'Sum', 300)",
    ])
    error_message = "Reasons must be visible."
  }

  # Panels lie side by side and never on each other.
  assert {
    condition = (
      length(
        distinct([for one in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${one.x}/${one.y}"])
      ) == 12 &&
      length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12 &&
      alltrue([
        for one in slice(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets, 2, 12) :
        one.properties.region == "eu-west-1" && contains([0, 12], one.x)
      ])
    )
    error_message = "A panel hides another, or is missing."
  }
}

run "without_options" {
  command = plan

  # Without queues job and refresh there are only the alarms of the event function.
  assert {
    condition = sort(keys(aws_cloudwatch_metric_alarm.this)) == sort([
      "event-errors", "event-throttles", "event-duration", "events-raised", "events-rejected", "recommendations-failed",
      "write-back-failed", "events-silent", "recommendations-many", "write-backs-many",
    ]) && length(aws_cloudwatch_event_rule.history_failed) == 0
    error_message = "An alarm monitors a missing resource."
  }

  # The dashboard has no panel of what is not there.
  assert {
    condition = (
      length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 10 &&
      !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "AWS/SQS") &&
      !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "AWS/States")
    )
    error_message = "A panel would always be empty."
  }
}

run "every_alarm_says_what_to_do_and_tells_every_topic" {
  command = plan

  variables {
    functions = {
      event    = { name = "shop-event", timeout_seconds = 5 }
      profiles = { name = "shop-profiles", timeout_seconds = 60 }
    }
    queues            = { profiles = "shop-profiles", profiles_dead = "shop-profiles-dead", rejected = "shop-rejected" }
    glue_job_name     = "shop-history"
    state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    thresholds        = { silent_hours = 6 }
    alarm_topic_arns  = ["arn:aws:sns:eu-west-1:123456789012:on-call"]
    operations_url    = "https://wiki/operations"
  }

  assert {
    condition = alltrue([
      for one in values(aws_cloudwatch_metric_alarm.this) :
      can(regex(" What to do: https://wiki/operations#[a-z-]+$", one.alarm_description)) &&
      one.alarm_actions == toset(var.alarm_topic_arns) && one.ok_actions == one.alarm_actions
    ])
    error_message = "An alarm has no remedy."
  }
  assert {
    condition = alltrue([
      for one in values(aws_cloudwatch_metric_alarm.this) :
      length(one.alarm_description) <= 1024
    ])
    error_message = "CloudWatch accepts 1024 characters."
  }
}

run "the_dashboard_has_the_name_that_is_wanted" {
  command = plan

  variables {
    name_prefix = "eu"
  }

  assert {
    condition     = output.dashboard == "eu"
    error_message = "It is ${output.dashboard}."
  }
}

run "silence_has_a_default" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-silent"].evaluation_periods == 24
    error_message = "The alarm is too late or too frequent."
  }
}

run "silence_may_be_right_and_volumes_may_be_others" {
  command = plan

  variables {
    thresholds = { silent_hours = 0, recommendations_per_hour = 500, write_backs_per_hour = 400 }
  }

  assert {
    condition = (
      !contains(keys(aws_cloudwatch_metric_alarm.this), "events-silent") &&
      aws_cloudwatch_metric_alarm.this["recommendations-many"].threshold == 500 &&
      aws_cloudwatch_metric_alarm.this["write-backs-many"].threshold == 400
    )
    error_message = "The thresholds are others."
  }
}
