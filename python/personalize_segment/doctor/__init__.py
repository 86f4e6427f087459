"""What a running stack needs, examined: each part is ok, wrong or unknown, with what to do."""
