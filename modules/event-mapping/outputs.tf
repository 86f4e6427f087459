output "text" {
  description = "The mapping as one line of JSON with sorted keys, for functions and jobs."
  value       = local.text

  precondition {
    condition     = length(local.problems) == 0
    error_message = <<-EOT
      ${var.path}: the event mapping is invalid.
      ${join("\n", slice(local.problems, 0, min(5, length(local.problems))))}
      Run `personalize-segment check ${var.path}` for all problems.
    EOT
  }
}

output "sha256" {
  description = "SHA-256 of text in 64 hexadecimal digits, equal for mappings of equal meaning."
  value       = sha256(local.text)
}

output "large" {
  description = "Whether the mapping is too large for a function's environment of 4,096 bytes and must be stored in S3."
  value       = length(base64gzip(local.text)) > 2048
}

output "events" {
  description = "Sorted names of events with a rule, by call, and whether identify, any_page and any_screen have one."
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
  description = "Datasets that the mapping fills, in the order interactions, users, items."
  value       = local.datasets
}

output "destination_filter" {
  description = "FQL condition that matches the events Segment must send."
  value       = join(" or ", local.filters)
}
