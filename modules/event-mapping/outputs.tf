output "text" {
  description = "The mapping as JSON in one line, with sorted keys: what functions and jobs are given."
  value       = local.text
}

output "sha256" {
  description = "SHA-256 of text, 64 hexadecimal digits; equal digests mean equal meaning everywhere."
  value       = sha256(local.text)
}

output "events" {
  description = "Object with the sorted names of the events that have a rule, by call (track, page, screen), and identify: whether identify calls have one."
  value = {
    track    = local.events.track
    page     = local.events.page
    screen   = local.events.screen
    identify = contains(local.datasets, "users")
  }
}

output "datasets" {
  description = "Names of the datasets that the mapping fills, in the order interactions, users, items."
  value       = local.datasets
}

output "destination_filter" {
  description = "Condition in Segment's FQL that is true for the events to send (Only Send); !( … ) is the one for Drop."
  value       = join(" or ", local.conditions)
}
