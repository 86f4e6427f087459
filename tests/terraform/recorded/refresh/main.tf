module "refresh" {
  source = "../../../../modules/refresh"

  name          = "streaming"
  schedule      = { expression = "rate(7 days)" }
  export        = { glue_job = { name = "streaming-history" } }
  dataset_group = "streaming"
  imports       = { interactions = { location = "s3://streaming/transformed/interactions/", mode = "FULL" } }
  role_arn      = "arn:aws:iam::123456789012:role/streaming-us-east-1-personalize"
}
