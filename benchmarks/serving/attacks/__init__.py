"""What a hostile caller sends, made from what a good one sends; and how a service has to answer."""
