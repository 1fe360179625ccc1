"""What runs on this machine and how it fares: evidence in, findings out; fetching is passed in."""
