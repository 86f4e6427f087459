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
    functions         = { event = { name = "shop-event", timeout_seconds = 5 }, profiles = { name = "shop-profiles", timeout_seconds = 60 } }
    queues            = { profiles = "shop-profiles", profiles_dead = "shop-profiles-dead", rejected = "shop-rejected" }
    glue_job_name     = "shop-history"
    state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    thresholds        = { silent_hours = 6 }
  }

  # There is an alarm for everything that is there.
  assert {
    condition = sort(keys(aws_cloudwatch_metric_alarm.this)) == sort([
      "event-errors", "event-throttles", "event-duration", "profiles-errors", "profiles-throttles", "profiles-duration",
      "events-raised", "events-rejected", "recommendations-failed", "write-back-failed", "events-silent",
      "recommendations-many", "write-backs-many", "profiles-waiting", "profiles-dead", "rejected-forgotten", "history-failed", "refresh-failed",
    ])
    error_message = "An alarm is missing, or one too many."
  }
  assert {
    condition     = output.alarms["events-raised"] == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-events-raised" && sort(keys(output.alarms)) == sort(keys(aws_cloudwatch_metric_alarm.this))
    error_message = "The output has another form."
  }

  # Errors are a share of the calls twice in a quarter of an hour.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "errors"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "errors"]).metric_name == "Errors" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "errors"]).dimensions == tomap({ FunctionName = "shop-event" }) && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "errors"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "errors"]).period == 300
    error_message = "The metric errors is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "calls"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "calls"]).metric_name == "Invocations" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "calls"]).dimensions == tomap({ FunctionName = "shop-event" }) && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "calls"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : one(q.metric) if q.id == "calls"]).period == 300
    error_message = "The metric calls is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["event-errors"].metric_query : q.expression if q.return_data]) == "100 * errors / calls"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["event-errors"].alarm_name == "shop-event-errors" && aws_cloudwatch_metric_alarm.this["event-errors"].threshold == 5 && aws_cloudwatch_metric_alarm.this["event-errors"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["event-errors"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["event-errors"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["event-errors"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Errors of the consumer are its own.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["profiles-errors"].metric_query : one(q.metric) if q.id == "errors"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-errors"].metric_query : one(q.metric) if q.id == "errors"]).metric_name == "Errors" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-errors"].metric_query : one(q.metric) if q.id == "errors"]).dimensions == tomap({ FunctionName = "shop-profiles" }) && one([for q in aws_cloudwatch_metric_alarm.this["profiles-errors"].metric_query : one(q.metric) if q.id == "errors"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-errors"].metric_query : one(q.metric) if q.id == "errors"]).period == 300
    error_message = "The metric errors is another one."
  }

  # A throttled function is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["event-throttles"].metric_query : one(q.metric) if q.id == "throttles"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["event-throttles"].metric_query : one(q.metric) if q.id == "throttles"]).metric_name == "Throttles" && one([for q in aws_cloudwatch_metric_alarm.this["event-throttles"].metric_query : one(q.metric) if q.id == "throttles"]).dimensions == tomap({ FunctionName = "shop-event" }) && one([for q in aws_cloudwatch_metric_alarm.this["event-throttles"].metric_query : one(q.metric) if q.id == "throttles"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["event-throttles"].metric_query : one(q.metric) if q.id == "throttles"]).period == 300
    error_message = "The metric throttles is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["event-throttles"].alarm_name == "shop-event-throttles" && aws_cloudwatch_metric_alarm.this["event-throttles"].threshold == 1 && aws_cloudwatch_metric_alarm.this["event-throttles"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["event-throttles"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["event-throttles"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["event-throttles"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # A function near its time out is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["event-duration"].metric_query : one(q.metric) if q.id == "duration"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["event-duration"].metric_query : one(q.metric) if q.id == "duration"]).metric_name == "Duration" && one([for q in aws_cloudwatch_metric_alarm.this["event-duration"].metric_query : one(q.metric) if q.id == "duration"]).dimensions == tomap({ FunctionName = "shop-event" }) && one([for q in aws_cloudwatch_metric_alarm.this["event-duration"].metric_query : one(q.metric) if q.id == "duration"]).stat == "p99" && one([for q in aws_cloudwatch_metric_alarm.this["event-duration"].metric_query : one(q.metric) if q.id == "duration"]).period == 300
    error_message = "The metric duration is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["event-duration"].alarm_name == "shop-event-duration" && aws_cloudwatch_metric_alarm.this["event-duration"].threshold == 4000 && aws_cloudwatch_metric_alarm.this["event-duration"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["event-duration"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["event-duration"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["event-duration"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["profiles-duration"].threshold == 48000
    error_message = "The time-out of each function counts."
  }

  # Raised events are a share of all events.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "raised"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "raised"]).metric_name == "Events" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "raised"]).dimensions == tomap({ decision = "raised", service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "raised"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "raised"]).period == 300
    error_message = "The metric raised is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).metric_name == "Events" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).period == 300
    error_message = "The metric every is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : q.expression if q.return_data]) == "100 * FILL(raised, 0) / every"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-raised"].alarm_name == "shop-events-raised" && aws_cloudwatch_metric_alarm.this["events-raised"].threshold == 5 && aws_cloudwatch_metric_alarm.this["events-raised"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["events-raised"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["events-raised"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["events-raised"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Rejected events are a share of all events.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "rejected"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "rejected"]).metric_name == "Events" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "rejected"]).dimensions == tomap({ decision = "rejected", service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "rejected"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "rejected"]).period == 300
    error_message = "The metric rejected is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "every"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "every"]).metric_name == "Events" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "every"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "every"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : one(q.metric) if q.id == "every"]).period == 300
    error_message = "The metric every is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-rejected"].metric_query : q.expression if q.return_data]) == "100 * FILL(rejected, 0) / every"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-rejected"].alarm_name == "shop-events-rejected" && aws_cloudwatch_metric_alarm.this["events-rejected"].threshold == 5 && aws_cloudwatch_metric_alarm.this["events-rejected"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["events-rejected"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["events-rejected"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["events-rejected"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Failed recommendations are a share of those asked for.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "failed"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "failed"]).metric_name == "RecommendationFailed" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "failed"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "failed"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "failed"]).period == 300
    error_message = "The metric failed is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "fetched"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "fetched"]).metric_name == "RecommendationFetched" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "fetched"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "fetched"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "fetched"]).period == 300
    error_message = "The metric fetched is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "none"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "none"]).metric_name == "RecommendationEmpty" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "none"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "none"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : one(q.metric) if q.id == "none"]).period == 300
    error_message = "The metric none is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["recommendations-failed"].metric_query : q.expression if q.return_data]) == "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(fetched, 0) + FILL(none, 0))"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["recommendations-failed"].alarm_name == "shop-recommendations-failed" && aws_cloudwatch_metric_alarm.this["recommendations-failed"].threshold == 20 && aws_cloudwatch_metric_alarm.this["recommendations-failed"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["recommendations-failed"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["recommendations-failed"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["recommendations-failed"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Failed write backs are a share of those tried.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "failed"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "failed"]).metric_name == "WriteBackFailed" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "failed"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "failed"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "failed"]).period == 300
    error_message = "The metric failed is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "sent"]).namespace == "PersonalizeSegment" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "sent"]).metric_name == "WriteBackSent" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "sent"]).dimensions == tomap({ service = "shop" }) && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "sent"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : one(q.metric) if q.id == "sent"]).period == 300
    error_message = "The metric sent is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["write-back-failed"].metric_query : q.expression if q.return_data]) == "100 * FILL(failed, 0) / (FILL(failed, 0) + FILL(sent, 0))"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["write-back-failed"].alarm_name == "shop-write-back-failed" && aws_cloudwatch_metric_alarm.this["write-back-failed"].threshold == 20 && aws_cloudwatch_metric_alarm.this["write-back-failed"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["write-back-failed"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["write-back-failed"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["write-back-failed"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Six hours without a call are an alarm and so is no data.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : one(q.metric) if q.id == "calls"]).namespace == "AWS/Lambda" && one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : one(q.metric) if q.id == "calls"]).metric_name == "Invocations" && one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : one(q.metric) if q.id == "calls"]).dimensions == tomap({ FunctionName = "shop-event" }) && one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : one(q.metric) if q.id == "calls"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : one(q.metric) if q.id == "calls"]).period == 3600
    error_message = "The metric calls is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-silent"].metric_query : q.expression if q.return_data]) == "1 - FILL(calls, 0)"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-silent"].alarm_name == "shop-events-silent" && aws_cloudwatch_metric_alarm.this["events-silent"].threshold == 1 && aws_cloudwatch_metric_alarm.this["events-silent"].evaluation_periods == 6 && aws_cloudwatch_metric_alarm.this["events-silent"].datapoints_to_alarm == 6 && aws_cloudwatch_metric_alarm.this["events-silent"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["events-silent"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # A profile that waits a quarter of an hour is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["profiles-waiting"].metric_query : one(q.metric) if q.id == "age"]).namespace == "AWS/SQS" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-waiting"].metric_query : one(q.metric) if q.id == "age"]).metric_name == "ApproximateAgeOfOldestMessage" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-waiting"].metric_query : one(q.metric) if q.id == "age"]).dimensions == tomap({ QueueName = "shop-profiles" }) && one([for q in aws_cloudwatch_metric_alarm.this["profiles-waiting"].metric_query : one(q.metric) if q.id == "age"]).stat == "Maximum" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-waiting"].metric_query : one(q.metric) if q.id == "age"]).period == 300
    error_message = "The metric age is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["profiles-waiting"].alarm_name == "shop-profiles-waiting" && aws_cloudwatch_metric_alarm.this["profiles-waiting"].threshold == 900 && aws_cloudwatch_metric_alarm.this["profiles-waiting"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["profiles-waiting"].datapoints_to_alarm == 2 && aws_cloudwatch_metric_alarm.this["profiles-waiting"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["profiles-waiting"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # One dead letter is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["profiles-dead"].metric_query : one(q.metric) if q.id == "messages"]).namespace == "AWS/SQS" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-dead"].metric_query : one(q.metric) if q.id == "messages"]).metric_name == "ApproximateNumberOfMessagesVisible" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-dead"].metric_query : one(q.metric) if q.id == "messages"]).dimensions == tomap({ QueueName = "shop-profiles-dead" }) && one([for q in aws_cloudwatch_metric_alarm.this["profiles-dead"].metric_query : one(q.metric) if q.id == "messages"]).stat == "Maximum" && one([for q in aws_cloudwatch_metric_alarm.this["profiles-dead"].metric_query : one(q.metric) if q.id == "messages"]).period == 300
    error_message = "The metric messages is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["profiles-dead"].alarm_name == "shop-profiles-dead" && aws_cloudwatch_metric_alarm.this["profiles-dead"].threshold == 1 && aws_cloudwatch_metric_alarm.this["profiles-dead"].evaluation_periods == 1 && aws_cloudwatch_metric_alarm.this["profiles-dead"].datapoints_to_alarm == 1 && aws_cloudwatch_metric_alarm.this["profiles-dead"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["profiles-dead"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # A rejected event is an alarm four days before it is forgotten.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["rejected-forgotten"].metric_query : one(q.metric) if q.id == "age"]).namespace == "AWS/SQS" && one([for q in aws_cloudwatch_metric_alarm.this["rejected-forgotten"].metric_query : one(q.metric) if q.id == "age"]).metric_name == "ApproximateAgeOfOldestMessage" && one([for q in aws_cloudwatch_metric_alarm.this["rejected-forgotten"].metric_query : one(q.metric) if q.id == "age"]).dimensions == tomap({ QueueName = "shop-rejected" }) && one([for q in aws_cloudwatch_metric_alarm.this["rejected-forgotten"].metric_query : one(q.metric) if q.id == "age"]).stat == "Maximum" && one([for q in aws_cloudwatch_metric_alarm.this["rejected-forgotten"].metric_query : one(q.metric) if q.id == "age"]).period == 300
    error_message = "The metric age is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["rejected-forgotten"].alarm_name == "shop-rejected-forgotten" && aws_cloudwatch_metric_alarm.this["rejected-forgotten"].threshold == 864000 && aws_cloudwatch_metric_alarm.this["rejected-forgotten"].evaluation_periods == 1 && aws_cloudwatch_metric_alarm.this["rejected-forgotten"].datapoints_to_alarm == 1 && aws_cloudwatch_metric_alarm.this["rejected-forgotten"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["rejected-forgotten"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # A failed run of the glue job is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["history-failed"].metric_query : one(q.metric) if q.id == "failures"]).namespace == "AWS/Events" && one([for q in aws_cloudwatch_metric_alarm.this["history-failed"].metric_query : one(q.metric) if q.id == "failures"]).metric_name == "TriggeredRules" && one([for q in aws_cloudwatch_metric_alarm.this["history-failed"].metric_query : one(q.metric) if q.id == "failures"]).dimensions == tomap({ RuleName = "shop-history-failed" }) && one([for q in aws_cloudwatch_metric_alarm.this["history-failed"].metric_query : one(q.metric) if q.id == "failures"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["history-failed"].metric_query : one(q.metric) if q.id == "failures"]).period == 300
    error_message = "The metric failures is another one."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["history-failed"].alarm_name == "shop-history-failed" && aws_cloudwatch_metric_alarm.this["history-failed"].threshold == 1 && aws_cloudwatch_metric_alarm.this["history-failed"].evaluation_periods == 1 && aws_cloudwatch_metric_alarm.this["history-failed"].datapoints_to_alarm == 1 && aws_cloudwatch_metric_alarm.this["history-failed"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["history-failed"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }
  assert {
    condition = aws_cloudwatch_event_rule.history_failed[0].name == "shop-history-failed" && jsondecode(aws_cloudwatch_event_rule.history_failed[0].event_pattern) == {
      source      = ["aws.glue"]
      detail-type = ["Glue Job State Change"]
      detail      = { jobName = ["shop-history"], state = ["FAILED", "TIMEOUT"] }
    }
    error_message = "The rule matches something else."
  }

  # A refresh that failed or was late or stopped is an alarm.
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "failed"]).namespace == "AWS/States" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "failed"]).metric_name == "ExecutionsFailed" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "failed"]).dimensions == tomap({ StateMachineArn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh" }) && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "failed"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "failed"]).period == 300
    error_message = "The metric failed is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "late"]).namespace == "AWS/States" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "late"]).metric_name == "ExecutionsTimedOut" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "late"]).dimensions == tomap({ StateMachineArn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh" }) && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "late"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "late"]).period == 300
    error_message = "The metric late is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "stopped"]).namespace == "AWS/States" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "stopped"]).metric_name == "ExecutionsAborted" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "stopped"]).dimensions == tomap({ StateMachineArn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh" }) && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "stopped"]).stat == "Sum" && one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : one(q.metric) if q.id == "stopped"]).period == 300
    error_message = "The metric stopped is another one."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["refresh-failed"].metric_query : q.expression if q.return_data]) == "FILL(failed, 0) + FILL(late, 0) + FILL(stopped, 0)"
    error_message = "The alarm computes something else."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["refresh-failed"].alarm_name == "shop-refresh-failed" && aws_cloudwatch_metric_alarm.this["refresh-failed"].threshold == 1 && aws_cloudwatch_metric_alarm.this["refresh-failed"].evaluation_periods == 1 && aws_cloudwatch_metric_alarm.this["refresh-failed"].datapoints_to_alarm == 1 && aws_cloudwatch_metric_alarm.this["refresh-failed"].treat_missing_data == "notBreaching" && aws_cloudwatch_metric_alarm.this["refresh-failed"].comparison_operator == "GreaterThanOrEqualToThreshold"
    error_message = "The alarm begins at another point."
  }

  # Alarms are on top of the dashboard and events next.
  assert {
    condition     = aws_cloudwatch_dashboard.this.dashboard_name == "shop-eu-west-1" && jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].type == "alarm" && jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].y == 0 && sort(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.alarms) == sort(values(output.alarms))
    error_message = "Whether something is wrong has to be seen first."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[2].properties.metrics[0][0].expression == "SEARCH('{PersonalizeSegment,decision,service} MetricName=\"Events\" service=\"shop\"', 'Sum', 300)"
    error_message = "What became of the events has to be seen next."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[4].properties.metrics[0][0].expression == "SEARCH('{PersonalizeSegment,decision,reason,service} MetricName=\"Events\" service=\"shop\" NOT reason=\"none\"', 'Sum', 300)"
    error_message = "The reasons have to be seen."
  }

  # Panels lie side by side and never on each other.
  assert {
    condition     = length(distinct([for one in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${one.x}/${one.y}"])) == 12 && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12 && alltrue([for one in slice(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets, 2, 12) : one.properties.region == "eu-west-1" && contains([0, 12], one.x)])
    error_message = "A panel hides another, or is missing."
  }
}

run "without_options" {
  command = plan

  # Without queues job and refresh there are only the alarms of the event function.
  assert {
    condition = sort(keys(aws_cloudwatch_metric_alarm.this)) == sort([
      "event-errors", "event-throttles", "event-duration", "events-raised", "events-rejected", "recommendations-failed", "write-back-failed",
      "events-silent", "recommendations-many", "write-backs-many",
    ]) && length(aws_cloudwatch_event_rule.history_failed) == 0
    error_message = "An alarm is about something that is not there."
  }

  # The dashboard has no panel of what is not there.
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 10 && !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "AWS/SQS") && !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "AWS/States")
    error_message = "A panel would be empty for ever."
  }
}

run "every_alarm_says_what_to_do_and_tells_every_topic" {
  command = plan

  variables {
    functions         = { event = { name = "shop-event", timeout_seconds = 5 }, profiles = { name = "shop-profiles", timeout_seconds = 60 } }
    queues            = { profiles = "shop-profiles", profiles_dead = "shop-profiles-dead", rejected = "shop-rejected" }
    glue_job_name     = "shop-history"
    state_machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:shop-refresh"
    thresholds        = { silent_hours = 6 }
    alarm_topic_arns  = ["arn:aws:sns:eu-west-1:123456789012:on-call"]
    operations_url    = "https://wiki/operations"
  }

  assert {
    condition     = alltrue([for one in values(aws_cloudwatch_metric_alarm.this) : can(regex(" What to do: https://wiki/operations#[a-z-]+$", one.alarm_description)) && one.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"]) && one.ok_actions == one.alarm_actions])
    error_message = "Somebody is woken and not told what to do."
  }
  assert {
    condition     = alltrue([for one in values(aws_cloudwatch_metric_alarm.this) : length(one.alarm_description) <= 1024])
    error_message = "CloudWatch takes 1024 characters."
  }
}

run "thresholds_namespace_and_service_can_be_set" {
  command = plan

  variables {
    queues            = { profiles = "shop-profiles", profiles_dead = "shop-profiles-dead", rejected = "shop-rejected" }
    metrics_namespace = "Shop/Events"
    metrics_service   = "other"
    thresholds = {
      errors_percent                = 1
      throttles                     = 2
      duration_percent              = 50
      raised_percent                = 3
      rejected_percent              = 4
      recommendation_failed_percent = 6
      write_back_failed_percent     = 7
      queue_age_seconds             = 8
      dead_letters                  = 9
      rejected_age_days             = 1
    }
  }

  assert {
    condition     = [for key in ["event-errors", "event-throttles", "event-duration", "events-raised", "events-rejected", "recommendations-failed", "write-back-failed", "profiles-waiting", "profiles-dead", "rejected-forgotten"] : aws_cloudwatch_metric_alarm.this[key].threshold] == [1, 2, 2500, 3, 4, 6, 7, 8, 9, 86400]
    error_message = "A threshold is not used."
  }
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).namespace == "Shop/Events" && one([for q in aws_cloudwatch_metric_alarm.this["events-raised"].metric_query : one(q.metric) if q.id == "every"]).dimensions == tomap({ service = "other" })
    error_message = "Namespace or service is not used."
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

run "volumes_and_silence_have_a_default" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-silent"].evaluation_periods == 24
    error_message = "It would be heard of too late, or too often."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["recommendations-many"].threshold == 10000 &&
      one([for q in aws_cloudwatch_metric_alarm.this["recommendations-many"].metric_query : q.expression if q.return_data]) == "FILL(fetched, 0) + FILL(none, 0) + FILL(failed, 0)" &&
      toset([for q in aws_cloudwatch_metric_alarm.this["recommendations-many"].metric_query : one(q.metric[*].period) if length(q.metric) > 0]) == toset([3600])
    )
    error_message = "Another volume of recommendations."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.this["write-backs-many"].threshold == 10000 &&
      one(one(aws_cloudwatch_metric_alarm.this["write-backs-many"].metric_query).metric).metric_name == "WriteBackSent" &&
      one(one(aws_cloudwatch_metric_alarm.this["write-backs-many"].metric_query).metric).period == 3600
    )
    error_message = "Another volume of write-backs."
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
