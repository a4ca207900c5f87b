#pragma once
#include <curl/curl.h>
#include <stddef.h>

// Swift can't call variadic C functions: one wrapper for each type of argument.

static inline CURLcode remora_easy_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode remora_easy_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// `value` may be null, which resets the option. libcurl copies the text.
static inline CURLcode remora_easy_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode remora_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

// libcurl does not copy: the bytes must outlive the handle's transfer.
static inline CURLcode remora_easy_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

typedef size_t (*remora_data_callback)(char *bytes, size_t size, size_t count, void *context);
typedef int (*remora_seek_callback)(void *context, curl_off_t offset, int origin);
typedef int (*remora_progress_callback)(
    void *context, curl_off_t download_total, curl_off_t downloaded, curl_off_t upload_total, curl_off_t uploaded);
typedef int (*remora_connected_callback)(
    void *context, char *remote_address, char *local_address, int remote_port, int local_port);

static inline CURLcode remora_easy_set_data_callback(CURL *easy, CURLoption option, remora_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode remora_easy_set_seek_callback(CURL *easy, remora_seek_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, callback);
}

static inline CURLcode remora_easy_set_progress_callback(CURL *easy, remora_progress_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, callback);
}

static inline CURLcode remora_easy_set_connected_callback(CURL *easy, remora_connected_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}

static inline CURLcode remora_easy_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode remora_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// `data` is a union in CURLMsg; Swift sees it, but this reads better.
static inline CURLcode remora_message_result(const CURLMsg *message) {
    return message->data.result;
}
