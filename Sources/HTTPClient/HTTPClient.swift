// Requests over libcurl.
