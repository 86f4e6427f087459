output "text" {
  description = "The mapping as JSON in one line with sorted keys, for functions and jobs."
  value       = local.text

  precondition {
    condition     = length(local.problems) == 0
    error_message = <<-EOT
      ${var.path}: this mapping is refused.
      ${join("\n", slice(local.problems, 0, min(5, length(local.problems))))}
      Run `personalize-segment check ${var.path}`, which checks more.
    EOT
  }
}

output "sha256" {
  description = "SHA-256 of text in 64 hexadecimal digits, equal where the meaning is equal."
  value       = sha256(local.text)
}

output "large" {
  description = "Whether the mapping is too large for a function's environment of 4,096 bytes and must travel in S3."
  value       = length(base64gzip(local.text)) > 2048
}

output "events" {
  description = "Sorted names of events with a rule by call, and whether identify, any_page and any_screen have one."
  value = merge(local.events, {
    identify   = contains(local.datasets, "users")
    any_page   = local.any_name.page
    any_screen = local.any_name.screen
  })
}

output "event_types" {
  description = "Sorted event types of the rules for interactions."
  value       = sort(distinct([for one in local.rules : one.event_type if one.dataset == "interactions"]))
}

output "datasets" {
  description = "Names of the datasets that the mapping fills, in the order interactions, users, items."
  value       = local.datasets
}

output "destination_filter" {
  description = "Condition in Segment's FQL that is true for the events to send."
  value       = join(" or ", local.filters)
}
