# No provider: the module reads one file.

run "the_mapping_of_a_shop" {
  command = plan

  variables {
    path = "tests/mappings/shop.json"
  }

  # The text has sorted keys and escapes what go escapes.
  assert {
    condition = output.text == join("", [
      "{\"interactions\":{\"fields\":{\"ITEM_ID\":{\"from\":[\"properties.sku\"]},",
      "\"TIMESTAMP\":{\"from\":[\"timestamp\"]},\"USER_ID\":{\"from\":[\"userId\"]}},",
      "\"page\":{\"Product\":{\"event_type\":\"View\"}},",
      "\"track\":{\"Order \\u003cCompleted\\u003e \\u0026 Paid\":{\"event_type\":\"Purchase\"},",
      "\"Product Viewed\":{\"event_type\":\"View\"}}},",
      "\"items\":{\"fields\":{\"ITEM_ID\":{\"from\":[\"properties.sku\"]},",
      "\"PRICE\":{\"from\":[\"properties.price\"],\"optional\":true,\"type\":\"float\"}},",
      "\"track\":{\"Price Changed\":{},\"Product Viewed\":{}}},",
      "\"users\":{\"fields\":{\"PLAN\":{\"from\":[\"traits.plan\"],\"optional\":true,\"type\":\"string\"},",
      "\"USER_ID\":{\"from\":[\"userId\"]}}},\"version\":1}",
    ])
    error_message = "The text is not canonical: ${output.text}"
  }

  assert {
    condition     = output.sha256 == sha256(output.text)
    error_message = "The digest is not that of the text: ${output.sha256}"
  }

  # Events and datasets are those of the file.
  assert {
    condition = jsonencode(output.events) == jsonencode({
      track      = ["Order <Completed> & Paid", "Price Changed", "Product Viewed"]
      page       = ["Product"]
      screen     = []
      identify   = true
      any_page   = false
      any_screen = false
    })
    error_message = "Each name must appear once: ${jsonencode(output.events)}"
  }

  assert {
    condition     = jsonencode(output.event_types) == jsonencode(["Purchase", "View"])
    error_message = "The event types are others: ${jsonencode(output.event_types)}"
  }

  assert {
    condition     = jsonencode(output.datasets) == jsonencode(["interactions", "users", "items"])
    error_message = "The datasets are others: ${jsonencode(output.datasets)}"
  }

  # The destination filter lets through what has a rule.
  assert {
    condition = output.destination_filter == join(" or ", [
      "( type = 'track' and event in ['Order <Completed> & Paid', 'Price Changed', 'Product Viewed'] )",
      "( type = 'page' and name in ['Product'] )",
      "type = 'identify'",
    ])
    error_message = "The filter is ${output.destination_filter}"
  }
}

# An event with several rules is one event; conditions don't narrow the filter, and a rule for any name widens it.
run "rules_for_any_name_let_every_page_and_screen_through" {
  command = plan

  variables {
    path           = "tests/mappings/any-name.json"
    trigger_events = ["Cart Viewed"]
  }

  assert {
    condition = output.destination_filter == join(" or ", [
      "( type = 'track' and event in ['Cart Viewed', 'Order Completed'] )",
      "type = 'page'",
      "type = 'screen'",
      "type = 'identify'",
    ])
    error_message = "The filter is ${output.destination_filter}"
  }

  assert {
    condition = jsonencode(output.events) == jsonencode({
      track      = ["Order Completed"]
      page       = ["Product"]
      screen     = []
      identify   = true
      any_page   = true
      any_screen = true
    })
    error_message = "The events are ${jsonencode(output.events)}"
  }

  assert {
    condition     = strcontains(output.text, "{\"above\":0.5}")
    error_message = "The number must have no trailing zero: ${output.text}"
  }
}

run "the_destination_filter_quotes_names_and_leaves_identify_out_without_users" {
  command = plan

  variables {
    path = "tests/mappings/names.json"
  }

  assert {
    condition = (
      output.destination_filter ==
      "( type = 'screen' and name in ['C:\\\\Shop', \"Editor's \\\"Choice\\\"\"] )"
    )
    error_message = "The filter is ${output.destination_filter}"
  }

  assert {
    condition     = !output.events.identify && jsonencode(output.datasets) == jsonencode(["interactions"])
    error_message = "The file has no users."
  }
}

run "the_destination_filter_lets_trigger_events_through" {
  command = plan

  variables {
    path           = "tests/mappings/names.json"
    trigger_events = ["Cart Viewed", "C:\\Shop"]
  }

  assert {
    condition = output.destination_filter == join(" or ", [
      "( type = 'track' and event in ['C:\\\\Shop', 'Cart Viewed'] )",
      "( type = 'page' and name in ['C:\\\\Shop', 'Cart Viewed'] )",
      "( type = 'screen' and name in ['C:\\\\Shop', 'Cart Viewed', \"Editor's \\\"Choice\\\"\"] )",
    ])
    error_message = "The filter is ${output.destination_filter}"
  }
}

run "a_trigger_event_without_a_name_is_refused" {
  command = plan

  variables {
    path           = "tests/mappings/shop.json"
    trigger_events = ["*"]
  }

  expect_failures = [var.trigger_events]
}

run "a_path_without_a_file_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/nowhere.json"
  }

  expect_failures = [var.path]
}

run "a_folder_is_refused" {
  command = plan

  variables {
    path = "tests/mappings"
  }

  expect_failures = [var.path]
}

run "a_file_that_is_no_json_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/no-json.json"
  }

  expect_failures = [var.path]
}

run "a_json_array_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/no-object.json"
  }

  expect_failures = [var.path]
}

run "a_version_of_2_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/version-2.json"
  }

  expect_failures = [output.text]
}

run "a_version_that_is_a_text_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/version-as-text.json"
  }

  expect_failures = [output.text]
}

run "a_missing_version_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/no-version.json"
  }

  expect_failures = [output.text]
}

run "a_mapping_without_interactions_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/no-interactions.json"
  }

  expect_failures = [output.text]
}

run "an_unknown_key_is_refused" {
  command = plan

  variables {
    path = "tests/mappings/unknown-key.json"
  }

  expect_failures = [output.text]
}

run "misspelled_keys_of_a_rule_a_field_and_a_condition_are_refused" {
  command = plan

  variables {
    path = "tests/mappings/misspelled.json"
  }

  expect_failures = [output.text]
}
