output "text" {
  description = "The mapping as JSON in one line, with sorted keys: what functions and jobs are given."
  value       = local.text
}

output "sha256" {
  description = "SHA-256 of text, 64 hexadecimal digits; equal digests mean equal meaning everywhere."
  value       = sha256(local.text)
}

output "events" {
  description = "Events that have a rule: sorted names by call (track, page, screen), and booleans for identify, any_page and any_screen."
  value = merge(local.events, {
    identify   = contains(local.datasets, "users")
    any_page   = local.any_name.page
    any_screen = local.any_name.screen
  })
}

output "datasets" {
  description = "Names of the datasets that the mapping fills, in the order interactions, users, items."
  value       = local.datasets
}

output "destination_filter" {
  description = "Condition in Segment's FQL that is true for the events to send (Only Send); !( … ) is the one for Drop."
  value       = join(" or ", local.conditions)
}
