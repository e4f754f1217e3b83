// SPDX-License-Identifier: Apache-2.0
// The part of the PKCS #11 v2.40 interface that crosses it as memory. Libraries are opened at run
// time. Names follow the standard; what we never call is a plain pointer.
#pragma once

struct hawser_pkcs11_version {
    unsigned char major;
    unsigned char minor;
};

struct hawser_pkcs11_attribute {
    unsigned long type;
    void *value;
    unsigned long bytes;
};

struct hawser_pkcs11_mechanism {
    unsigned long type;
    void *parameter;
    unsigned long bytes;
};

struct hawser_pkcs11_token {
    unsigned char label[32];
    unsigned char manufacturer[32];
    unsigned char model[16];
    unsigned char serial[16];
    unsigned long flags;
    unsigned long counts[10];
    struct hawser_pkcs11_version versions[2];
    unsigned char utc_time[16];
};

struct hawser_pkcs11_functions {
    struct hawser_pkcs11_version version;
    unsigned long (*initialize)(void *arguments);
    unsigned long (*finalize)(void *reserved);
    void *get_info;
    void *get_function_list;
    unsigned long (*get_slot_list)(
        unsigned char token_present, unsigned long *slots, unsigned long *count);
    void *get_slot_info;
    unsigned long (*get_token_info)(unsigned long slot, struct hawser_pkcs11_token *token);
    void *get_mechanism_list;
    void *get_mechanism_info;
    void *init_token;
    void *init_pin;
    void *set_pin;
    unsigned long (*open_session)(
        unsigned long slot, unsigned long flags, void *context, void *notify,
        unsigned long *session);
    unsigned long (*close_session)(unsigned long session);
    void *close_all_sessions;
    void *get_session_info;
    void *get_operation_state;
    void *set_operation_state;
    unsigned long (*login)(
        unsigned long session, unsigned long user, const unsigned char *pin, unsigned long bytes);
    unsigned long (*logout)(unsigned long session);
    void *create_object;
    void *copy_object;
    void *destroy_object;
    void *get_object_size;
    unsigned long (*get_attribute_value)(
        unsigned long session, unsigned long object, struct hawser_pkcs11_attribute *attributes,
        unsigned long count);
    void *set_attribute_value;
    unsigned long (*find_objects_init)(
        unsigned long session, struct hawser_pkcs11_attribute *attributes, unsigned long count);
    unsigned long (*find_objects)(
        unsigned long session, unsigned long *objects, unsigned long room, unsigned long *count);
    unsigned long (*find_objects_final)(unsigned long session);
    void *encrypt_init;
    void *encrypt;
    void *encrypt_update;
    void *encrypt_final;
    void *decrypt_init;
    void *decrypt;
    void *decrypt_update;
    void *decrypt_final;
    void *digest_init;
    void *digest;
    void *digest_update;
    void *digest_key;
    void *digest_final;
    unsigned long (*sign_init)(
        unsigned long session, struct hawser_pkcs11_mechanism *mechanism, unsigned long key);
    unsigned long (*sign)(
        unsigned long session, const unsigned char *data, unsigned long data_bytes,
        unsigned char *signature, unsigned long *signature_bytes);
};

static inline unsigned long hawser_pkcs11_open(
    void *get_function_list, struct hawser_pkcs11_functions **functions) {
    return ((unsigned long (*)(struct hawser_pkcs11_functions **))get_function_list)(functions);
}
