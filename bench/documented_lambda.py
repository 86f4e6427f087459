"""The Lambda function of Segment's documentation, recreated with current libraries as the reference of the benchmark.

It follows the sample's steps in order: log the event, create both clients, PutEvents, GetRecommendations, identify,
flush. Its Personalize preview layer is gone, its module `analytics` is now `segment.analytics`, and `itemId` replaces
`id`, which the API would refuse. Its other bugs (lost orders, local time, swallowed errors) are kept. Only its time
matters.
 `segment_host` is the benchmark's stub. With `sync_mode`, the charitable form, the library posts in `identify`
instead of
in a thread that waits half a second for more events.
"""

import json
import logging
import os
from typing import Any

import boto3
import dateutil.parser
from botocore.exceptions import ClientError
from segment import analytics

logger = logging.getLogger()
logger.setLevel(logging.INFO)

settings = os.environ

analytics.write_key = settings["connections_source_api_key"]
analytics.host = settings["segment_host"]
analytics.sync_mode = settings.get("sync_mode") == "true"


def lambda_handler(event: dict[str, Any], _context: object) -> None:
    logger.info("Segment event: %s", json.dumps(event))
    personalize_runtime = boto3.client("personalize-runtime")
    personalize_events = boto3.client("personalize-events")
    try:
        if not ("anonymousId" in event and "userId" in event and "sku" in event.get("properties", {})):
            logger.warning("The event lacks anonymousId, userId or sku")
            return
        seconds = dateutil.parser.parse(event["timestamp"]).strftime("%s")
        personalize_events.put_events(
            trackingId=settings["personalize_tracking_id"],
            userId=event["userId"],
            sessionId=event["anonymousId"],
            eventList=[
                {
                    "eventId": event["messageId"],
                    "sentAt": int(seconds),  # type: ignore[typeddict-item]
                    "eventType": event["event"],
                    "properties": json.dumps({"itemId": event["properties"]["sku"]}),
                }
            ],
        )
        answer = personalize_runtime.get_recommendations(
            campaignArn=settings["personalize_campaign_arn"], userId=event["userId"]
        )
        items = [one["itemId"] for one in answer["itemList"]]
        logger.info("Recommended: %s", items)
        analytics.identify(event["userId"], {"recommended_products": items})
        analytics.flush()
    except KeyError as error:
        logger.error("Invalid configuration: %s", error)
    except ClientError as error:
        logger.error("%s", error)
