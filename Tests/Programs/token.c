// SPDX-License-Identifier: Apache-2.0
// A security key in software for the tests: a middleware library (PROTOCOL.u2f, interface version 10)
// whose token is the folder that HAWSER_TOKEN names:
//
//     pin     the PIN, where the token has one
//     fail    a number: every call fails with it
//     keys    the resident keys, a line each: algorithm, flags, application, user, handle
//     calls   what was asked for, a line each
//
//     cc -shared -fPIC -o token.so token.c -lcrypto

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ECDSA = 0, ED25519 = 1 };
enum { USER_PRESENCE = 0x01, USER_VERIFICATION = 0x04, FORCE = 0x10, RESIDENT = 0x20 };
enum { GENERAL = -1, UNSUPPORTED = -2, PIN_REQUIRED = -3, DEVICE_NOT_FOUND = -4, EXISTS = -5 };

struct enrolled {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_bytes;
    uint8_t *handle;
    size_t handle_bytes;
    uint8_t *signature;
    size_t signature_bytes;
    uint8_t *certificate;
    size_t certificate_bytes;
    uint8_t *data;
    size_t data_bytes;
};

struct signature {
    uint8_t flags;
    uint32_t counter;
    uint8_t *first;
    size_t first_bytes;
    uint8_t *second;
    size_t second_bytes;
};

struct resident {
    uint32_t algorithm;
    size_t slot;
    char *application;
    struct enrolled key;
    uint8_t flags;
    uint8_t *user;
    size_t user_bytes;
};

struct option {
    char *name;
    char *value;
    uint8_t is_required;
};

static FILE *open_file(const char *name, const char *mode) {
    const char *folder = getenv("HAWSER_TOKEN");
    char path[4096];
    if (folder == NULL) return NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, mode);
}

static int read_line(const char *name, char *line, int size) {
    FILE *file = open_file(name, "r");
    if (file == NULL) return 0;
    int has_line = fgets(line, size, file) != NULL;
    fclose(file);
    if (!has_line) line[0] = 0;
    line[strcspn(line, "\n")] = 0;
    return 1;
}

static void note(const char *format, ...) {
    FILE *file = open_file("calls", "a");
    if (file == NULL) return;
    va_list values;
    va_start(values, format);
    vfprintf(file, format, values);
    va_end(values);
    fclose(file);
}

static void note_options(const char *pin, struct option **options) {
    note(" pin=%s", pin == NULL ? "-" : pin);
    for (; options != NULL && *options != NULL; options++)
        note(" %s=%s", (*options)->name, (*options)->value);
    note("\n");
}

static const char *value(struct option **options, const char *name) {
    for (; options != NULL && *options != NULL; options++)
        if (strcmp((*options)->name, name) == 0) return (*options)->value;
    return "";
}

/// What stands in the way of a call that wants the user to be verified or not.
static int problem(const char *pin, int verifies, struct option **options) {
    char line[256];
    if (read_line("fail", line, sizeof line)) return atoi(line);
    if (*value(options, "device") != 0 && strcmp(value(options, "device"), "token") != 0)
        return DEVICE_NOT_FOUND;
    if (read_line("pin", line, sizeof line)) {
        if (verifies && (pin == NULL || strcmp(pin, line) != 0)) return PIN_REQUIRED;
    } else if (verifies) {
        return UNSUPPORTED;
    }
    return 0;
}

static uint8_t *copy(const void *bytes, size_t count) {
    uint8_t *made = malloc(count + 1);
    memcpy(made, bytes, count);
    return made;
}

static void write_hex(FILE *file, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) fprintf(file, "%02x", bytes[i]);
}

static uint8_t *read_hex(const char *text, size_t *count) {
    *count = strlen(text) / 2;
    uint8_t *bytes = malloc(*count + 1);
    for (size_t i = 0; i < *count; i++) {
        unsigned number = 0;
        sscanf(text + 2 * i, "%2x", &number);
        bytes[i] = (uint8_t)number;
    }
    return bytes;
}

/// The key of a handle, which holds it in clear: this token has no secrets.
static EVP_PKEY *key_of(const uint8_t *handle, size_t count) {
    return d2i_AutoPrivateKey(NULL, &handle, (long)count);
}

static void fill_public_key(EVP_PKEY *key, uint32_t algorithm, struct enrolled *to) {
    uint8_t bytes[128];
    size_t count = sizeof bytes;
    if (algorithm == ED25519) {
        EVP_PKEY_get_raw_public_key(key, bytes, &count);
    } else {
        EVP_PKEY_get_octet_string_param(key, "pub", bytes, sizeof bytes, &count);
    }
    to->public_key = copy(bytes, count);
    to->public_key_bytes = count;
}

uint32_t sk_api_version(void) { return 0x000a0000; }

int sk_enroll(
    uint32_t algorithm, const uint8_t *challenge, size_t challenge_bytes, const char *application,
    uint8_t flags, const char *pin, struct option **options, struct enrolled **answer) {
    uint8_t digest[32];
    SHA256(challenge, challenge_bytes, digest);
    note("enroll algorithm=%u application=%s flags=%02x challenge=", algorithm, application, flags);
    for (int i = 0; i < 4; i++) note("%02x", digest[i]);
    note_options(pin, options);
    int status = problem(pin, (flags & (USER_VERIFICATION | RESIDENT)) != 0, options);
    if (status != 0) return status;
    if (algorithm != ECDSA && algorithm != ED25519) return UNSUPPORTED;

    const char *user = *value(options, "user") == 0 ? "-" : value(options, "user");
    char line[4096], kept[65536] = "";
    FILE *file = open_file("keys", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned its_algorithm, its_flags;
        char its_application[256], its_user[256];
        sscanf(line, "%u %x %255s %255s", &its_algorithm, &its_flags, its_application, its_user);
        int is_same = strcmp(its_application, application) == 0 && strcmp(its_user, user) == 0;
        if (is_same && (flags & RESIDENT) != 0 && (flags & FORCE) == 0) {
            fclose(file);
            return EXISTS;
        }
        if (!is_same || (flags & RESIDENT) == 0) strcat(kept, line);
    }
    if (file != NULL) fclose(file);

    EVP_PKEY *key = algorithm == ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                         : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (key == NULL) return GENERAL;
    struct enrolled *made = calloc(1, sizeof *made);
    made->flags = flags;
    fill_public_key(key, algorithm, made);
    uint8_t *handle = NULL;
    made->handle_bytes = (size_t)i2d_PrivateKey(key, &handle);
    made->handle = copy(handle, made->handle_bytes);
    made->signature = copy("signature", made->signature_bytes = 9);
    made->certificate = copy("certificate", made->certificate_bytes = 11);
    made->data = copy(digest, made->data_bytes = 32);
    if ((flags & RESIDENT) != 0 && (file = open_file("keys", "w")) != NULL) {
        fprintf(file, "%s%u %02x %s %s ", kept, algorithm, flags & ~FORCE, application, user);
        write_hex(file, handle, made->handle_bytes);
        fprintf(file, "\n");
        fclose(file);
    }
    OPENSSL_free(handle);
    EVP_PKEY_free(key);
    *answer = made;
    return 0;
}

int sk_sign(
    uint32_t algorithm, const uint8_t *message, size_t message_bytes, const char *application,
    const uint8_t *handle, size_t handle_bytes, uint8_t flags, const char *pin,
    struct option **options, struct signature **answer) {
    note("sign algorithm=%u application=%s flags=%02x", algorithm, application, flags);
    note_options(pin, options);
    int status = problem(pin, (flags & USER_VERIFICATION) != 0, options);
    if (status != 0) return status;
    EVP_PKEY *key = key_of(handle, handle_bytes);
    if (key == NULL) return DEVICE_NOT_FOUND;

    struct signature *made = calloc(1, sizeof *made);
    made->flags = flags & (USER_PRESENCE | USER_VERIFICATION);
    made->counter = 0x12345678;
    uint8_t data[32 + 1 + 4 + 32] = {0};
    SHA256((const uint8_t *)application, strlen(application), data);
    data[32] = made->flags;
    for (int i = 0; i < 4; i++) data[33 + i] = (uint8_t)(made->counter >> (24 - 8 * i));
    SHA256(message, message_bytes, data + 37);

    uint8_t bytes[256];
    size_t count = sizeof bytes;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, NULL, algorithm == ED25519 ? NULL : EVP_sha256(), NULL, key);
    EVP_DigestSign(context, bytes, &count, data, sizeof data);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (algorithm == ED25519) {
        made->first = copy(bytes, made->first_bytes = count);
    } else {
        const uint8_t *start = bytes;
        ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &start, (long)count);
        uint8_t number[64];
        made->first_bytes = (size_t)BN_bn2bin(ECDSA_SIG_get0_r(numbers), number);
        made->first = copy(number, made->first_bytes);
        made->second_bytes = (size_t)BN_bn2bin(ECDSA_SIG_get0_s(numbers), number);
        made->second = copy(number, made->second_bytes);
        ECDSA_SIG_free(numbers);
    }
    *answer = made;
    return 0;
}

int sk_load_resident_keys(
    const char *pin, struct option **options, struct resident ***answer, size_t *answer_count) {
    note("load");
    note_options(pin, options);
    int status = problem(pin, 1, options);
    if (status != 0) return status;
    struct resident **list = calloc(64, sizeof *list);
    size_t count = 0;
    char line[4096];
    FILE *file = open_file("keys", "r");
    while (file != NULL && count < 64 && fgets(line, sizeof line, file) != NULL) {
        unsigned flags;
        char application[256], user[256], text[2048];
        struct resident *found = calloc(1, sizeof *found);
        sscanf(
            line, "%u %x %255s %255s %2047s", &found->algorithm, &flags, application, user, text);
        found->slot = count;
        found->application = strdup(application);
        found->flags = found->key.flags = (uint8_t)flags;
        // As a token does: a user's name with zeroes behind it.
        found->user = calloc(1, found->user_bytes = 32);
        if (strcmp(user, "-") != 0) memcpy(found->user, user, strnlen(user, 32));
        found->key.handle = read_hex(text, &found->key.handle_bytes);
        EVP_PKEY *key = key_of(found->key.handle, found->key.handle_bytes);
        fill_public_key(key, found->algorithm, &found->key);
        EVP_PKEY_free(key);
        list[count++] = found;
    }
    if (file != NULL) fclose(file);
    *answer = list;
    *answer_count = count;
    return 0;
}
