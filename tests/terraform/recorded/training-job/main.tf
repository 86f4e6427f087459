resource "aws_s3_bucket" "data" {
  bucket        = "shop-personalize-123456789012-us-east-1"
  force_destroy = true
}

module "training_job" {
  source = "../../../../modules/training-job"

  name          = "shop"
  package       = { path = "${abspath(path.root)}/../package.zip" }
  wheels        = { path = "${abspath(path.root)}/../../../../dist/glue-3.11" }
  script_path   = "${abspath(path.root)}/../../../../glue/segment_to_personalize.py"
  artifacts     = { bucket = aws_s3_bucket.data.bucket, prefix = "artifacts/" }
  logs          = { bucket = aws_s3_bucket.data.bucket, prefix = "segment-logs/" }
  output        = { bucket = aws_s3_bucket.data.bucket, prefix = "transformed/" }
  event_mapping = { text = "{\"version\":1}", sha256 = sha256("{\"version\":1}") }
  profiles = {
    table_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/shop-profiles"
    queue_arn = "arn:aws:sqs:us-east-1:123456789012:shop-profiles"
  }
}
