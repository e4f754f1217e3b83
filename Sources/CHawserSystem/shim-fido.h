// SPDX-License-Identifier: Apache-2.0
// The interface of middleware libraries for security keys, version 10: PROTOCOL.u2f, and what such a
// library was seen to fill in. Libraries are opened at run time.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hawser_sk_enrolled {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_bytes;
    uint8_t *key_handle;
    size_t key_handle_bytes;
    uint8_t *signature;
    size_t signature_bytes;
    uint8_t *attestation_certificate;
    size_t attestation_certificate_bytes;
    uint8_t *authenticator_data;
    size_t authenticator_data_bytes;
};

struct hawser_sk_signed {
    uint8_t flags;
    uint32_t counter;
    uint8_t *first;
    size_t first_bytes;
    uint8_t *second;
    size_t second_bytes;
};

struct hawser_sk_resident {
    uint32_t algorithm;
    size_t slot;
    char *application;
    struct hawser_sk_enrolled key;
    uint8_t flags;
    uint8_t *user;
    size_t user_bytes;
};

struct hawser_sk_option {
    const char *name;
    const char *value;
    uint8_t is_required;
};

static inline uint32_t hawser_sk_version(void *function) {
    return ((uint32_t (*)(void))function)();
}

static inline int hawser_sk_enroll(
    void *function, uint32_t algorithm, const uint8_t *challenge, size_t challenge_bytes,
    const char *application, uint8_t flags, const char *pin, struct hawser_sk_option **options,
    struct hawser_sk_enrolled **enrolled) {
    return ((int (*)(uint32_t, const uint8_t *, size_t, const char *, uint8_t, const char *,
        struct hawser_sk_option **, struct hawser_sk_enrolled **))function)(
        algorithm, challenge, challenge_bytes, application, flags, pin, options, enrolled);
}

static inline int hawser_sk_sign(
    void *function, uint32_t algorithm, const uint8_t *data, size_t data_bytes,
    const char *application, const uint8_t *key_handle, size_t key_handle_bytes, uint8_t flags,
    const char *pin, struct hawser_sk_option **options, struct hawser_sk_signed **answer) {
    return ((int (*)(uint32_t, const uint8_t *, size_t, const char *, const uint8_t *, size_t,
        uint8_t, const char *, struct hawser_sk_option **, struct hawser_sk_signed **))function)(
        algorithm, data, data_bytes, application, key_handle, key_handle_bytes, flags, pin, options,
        answer);
}

static inline int hawser_sk_load_resident(
    void *function, const char *pin, struct hawser_sk_option **options,
    struct hawser_sk_resident ***keys, size_t *count) {
    return ((int (*)(const char *, struct hawser_sk_option **, struct hawser_sk_resident ***,
        size_t *))function)(pin, options, keys, count);
}
