output "text" {
  description = "The mapping as JSON in one line, with sorted keys: what functions and jobs are given."
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
  description = "SHA-256 of text, 64 hexadecimal digits; equal digests mean equal meaning everywhere."
  value       = sha256(local.text)
}

output "large" {
  description = "Whether the mapping takes too much of the 4,096 bytes of a function's environment: pass it in S3 then."
  value       = length(base64gzip(local.text)) > 2048
}

output "events" {
  description = "Sorted names of events with a rule by call (track, page, screen); identify, any_page, any_screen: booleans."
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
  description = "Condition in Segment's FQL that is true for the events to send (Only Send); !( … ) is for Drop."
  value       = join(" or ", local.filters)
}
