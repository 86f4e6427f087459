variable "write_key" {
  type      = string
  ephemeral = true
}

module "event_function" {
  source = "../../../../modules/event-function"

  name          = "shop"
  package       = { path = "${abspath(path.root)}/../package.zip" }
  event_mapping = { text = "{\"version\":1}", sha256 = sha256("{\"version\":1}") }
  personalize   = { ssm_prefix = "/shop/personalize", campaign = "main" }
  profile_queue = {
    arn = "arn:aws:sqs:us-east-1:123456789012:shop-profiles"
    url = "https://sqs/shop-profiles"
  }
  profile_table = {
    arn  = "arn:aws:dynamodb:us-east-1:123456789012:table/shop-profiles"
    name = "shop-profiles"
  }
  rejected_queue = {
    arn = "arn:aws:sqs:us-east-1:123456789012:shop-rejected"
    url = "https://sqs/shop-rejected"
  }
  new_write_key         = var.write_key
  new_write_key_version = 1
}
