// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD: lets libfido2 find one token, the terminal that HAWSER_DEVICES names (several with
// colons between them), at whose other end authenticator.py answers. What libudev and the ioctls of
// hidraw(4) would say of it is all that is needed.
//
//     cc -shared -fPIC -o fido_device.so fido_device.c -ldl

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/hidraw.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static char paths[8][128];
static int count;

static void read_paths(void) {
    const char *list = getenv("HAWSER_DEVICES");
    char copy[1024];
    count = 0;
    if (list == NULL) return;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *path = strtok(copy, ":"); path != NULL && count < 8; path = strtok(NULL, ":"))
        snprintf(paths[count++], sizeof paths[0], "%s", path);
}

// A device, an entry of a list and its name are all the path.
void *udev_new(void) { return paths; }
void *udev_unref(void *udev) { (void)udev; return NULL; }
void *udev_enumerate_new(void *udev) { return udev; }
int udev_enumerate_add_match_subsystem(void *list, const char *name) {
    (void)list;
    return strcmp(name, "hidraw") == 0 ? 0 : -1;
}
int udev_enumerate_scan_devices(void *list) {
    (void)list;
    read_paths();
    return 0;
}
void *udev_enumerate_get_list_entry(void *list) { (void)list; return count > 0 ? paths[0] : NULL; }
void *udev_enumerate_unref(void *list) { (void)list; return NULL; }
void *udev_list_entry_get_next(void *entry) {
    char *next = (char *)entry + sizeof paths[0];
    return next < paths[count] ? next : NULL;
}
const char *udev_list_entry_get_name(void *entry) { return entry; }
void *udev_device_new_from_syspath(void *udev, const char *path) { (void)udev; return (void *)path; }
void *udev_device_unref(void *device) { (void)device; return NULL; }
const char *udev_device_get_devnode(void *device) { return device; }
const char *udev_device_get_sysnum(void *device) { (void)device; return "0"; }
void *udev_device_get_parent_with_subsystem_devtype(
    void *device, const char *subsystem, const char *type) {
    (void)subsystem;
    (void)type;
    return device;
}
const char *udev_device_get_sysattr_value(void *device, const char *name) {
    (void)device;
    if (strcmp(name, "uevent") == 0) return "HID_ID=0003:00001209:00005070\nHID_NAME=test\n";
    return "test";
}

// FIDO CTAP 2.1 §11.2.8.1: one report of 64 bytes each way on the usage page of FIDO.
static const uint8_t descriptor[] = {
    0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08,
    0x95, 0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91,
    0x02, 0xc0,
};

int ioctl(int file, unsigned long request, ...) {
    va_list values;
    va_start(values, request);
    void *value = va_arg(values, void *);
    va_end(values);
    if (request == HIDIOCGRDESCSIZE) {
        *(int *)value = sizeof descriptor;
        return 0;
    }
    if (request == HIDIOCGRDESC) {
        struct hidraw_report_descriptor *report = value;
        report->size = sizeof descriptor;
        memcpy(report->value, descriptor, sizeof descriptor);
        return 0;
    }
    int (*real)(int, unsigned long, void *) =
        (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
    return real(file, request, value);
}
