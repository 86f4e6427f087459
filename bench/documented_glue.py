"""The Glue job of Segment's documentation, recreated on plain PySpark as the reference of the benchmark.

    documented_glue.py faithful|early|charitable LOGS OUT

faithful    follows the sample, with DynamicFrames expressed in Spark: a count, which parses each record; a
            Python filter that gets each complete record with nested objects wrapped (awslabs/aws-glue-libs,
            DynamicFrame.filter); a second count; toDF(), which computes the schema from the filtered records;
            one partition; a CSV. Nothing is cached, so each of the last three runs the filter.
early       the same, but infers the schema when it reads the logs, before any filter, as Spark does by default.
charitable  the same as early, but the filter is a boolean UDF over the four columns that it reads.

Glue needs no schema to read ("AWS Glue computes a schema on-the-fly when required", Glue's guide on
DynamicFrame) and needs one for toDF() ("can trigger an additional scan", awslabs/amazon-dynamodb-tools
issue 81). Spark needs one to read: faithful uses the schema of one file, which takes almost no time.

The sample's bugs (lost orders, no reasons, no deduplication) are kept. Only its time matters.
"""

import sys
from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

SUPPORTED = ["Product Added", "Order Completed", "Product Clicked"]


def wanted(row: Row) -> bool:
    record = row.asDict(recursive=True)
    return bool(
        record["anonymousId"]
        and record["userId"]
        and record["properties"]
        and record["properties"]["sku"]
        and record["event"] in SUPPORTED
    )


def main(form: str, logs: str, out: str) -> None:
    spark = SparkSession.builder.appName("documented").getOrCreate()
    reader = spark.read.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.gz")
    if form == "faithful":
        source = reader.schema(spark.read.json(str(next(Path(logs).rglob("*.gz")))).schema).json(logs)
    else:
        source = reader.json(logs)
    # DynamicFrame.count() parses the records. DataFrame.count() would not.
    print("Input file total record count:", source._jdf.queryExecution().toRdd().count())
    chosen: DataFrame
    if form == "charitable":
        test = F.udf(
            lambda anonymous, user, sku, event: bool(anonymous and user and sku and event in SUPPORTED), BooleanType()
        )
        chosen = source.where(test("anonymousId", "userId", "properties.sku", "event"))
    else:
        # Glue uses Python's result as it is.
        chosen = spark.createDataFrame(source.rdd.filter(wanted), source.schema, verifySchema=False)
    print("Filtered record count:", chosen.count())
    mapped = chosen.select(
        F.col("anonymousId").alias("ANONYMOUS_ID"),
        F.col("userId").alias("USER_ID"),
        F.col("properties.sku").alias("ITEM_ID"),
        F.col("event").alias("EVENT_TYPE"),
        F.col("timestamp").alias("TIMESTAMP_ISO"),
    )
    if form == "faithful":
        # toDF(): reading every remaining record is the minimum cost of a schema.
        mapped.write.format("noop").mode("overwrite").save()
    spark.conf.set("spark.sql.legacy.timeParserPolicy", "CORRECTED")
    stamped = mapped.repartition(1).withColumn(
        "TIMESTAMP", F.unix_timestamp("TIMESTAMP_ISO", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
    )
    stamped.write.mode("overwrite").csv(out, header=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
