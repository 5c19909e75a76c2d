"""A URL shortener on a bucket: the worked example of ssshelf."""
