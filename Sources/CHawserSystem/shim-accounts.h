// SPDX-License-Identifier: Apache-2.0
// Accounts, privilege and pseudo terminals: what Swift's Glibc module leaves out.
#pragma once

#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <shadow.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
#include <utmpx.h>

// Behind _GNU_SOURCE in glibc's headers.
int setresuid(uid_t real, uid_t effective, uid_t saved);
int setresgid(gid_t real, gid_t effective, gid_t saved);
int getresuid(uid_t *real, uid_t *effective, uid_t *saved);
int getresgid(gid_t *real, gid_t *effective, gid_t *saved);
int posix_openpt(int flags);
int grantpt(int fd);
int unlockpt(int fd);
int ptsname_r(int fd, char *name, size_t bytes);
void updwtmpx(const char *path, const struct utmpx *record);

static inline int hawser_set_no_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static inline int hawser_set_dumpable(int dumpable) {
    return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
}

static inline int hawser_set_seccomp_filter(const struct sock_fprog *program) {
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0);
}

// bpf(2), whose argument is a union that Swift does not see whole.
static inline int hawser_load_bpf_program(unsigned type, unsigned attach_type, const void *instructions,
                                          unsigned count) {
    union bpf_attr attributes = {0};
    attributes.prog_type = type;
    attributes.expected_attach_type = attach_type;
    attributes.insns = (unsigned long)instructions;
    attributes.insn_cnt = count;
    attributes.license = (unsigned long)"Apache-2.0";
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

static inline int hawser_attach_bpf_program(unsigned attach_type, int program, int target) {
    union bpf_attr attributes = {0};
    attributes.attach_type = attach_type;
    attributes.attach_bpf_fd = program;
    attributes.target_fd = target;
    return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
}

static inline int hawser_set_limit(int resource, unsigned long soft, unsigned long hard) {
    struct rlimit limit = {soft, hard};
    return setrlimit((__rlimit_resource_t)resource, &limit);
}

static inline int hawser_limit_processes(void) { return RLIMIT_NPROC; }
static inline int hawser_limit_core_bytes(void) { return RLIMIT_CORE; }

// The parts of the PAM interface (pam_start(3), pam_conv(3)) that cross it as memory. The library
// itself is opened at run time, by the one process that asks it.
struct hawser_pam_message {
    int style;
    const char *text;
};

struct hawser_pam_response {
    char *text;
    int code;
};

struct hawser_pam_conversation {
    int (*converse)(
        int count,
        const struct hawser_pam_message **messages,
        struct hawser_pam_response **responses,
        void *context);
    void *context;
};

int memfd_create(const char *name, unsigned int flags);

// Whether mlockall(2) can lock what is allocated later too: CAP_IPC_LOCK is number 14.
static inline int hawser_may_lock_all_memory(void) {
    struct rlimit limit;
    if (prctl(PR_CAPBSET_READ, 14, 0, 0, 0) == 1 && geteuid() == 0) return 1;
    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

// The largest number of descriptors of this process.
static inline long hawser_descriptor_limit(void) { return sysconf(_SC_OPEN_MAX); }
