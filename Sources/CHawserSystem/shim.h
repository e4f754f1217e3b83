// SPDX-License-Identifier: Apache-2.0
// What Swift's Glibc module leaves out: macros with arguments, variadics, names behind _GNU_SOURCE.
#pragma once

#include <malloc.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <zlib.h>

// Behind _GNU_SOURCE in glibc's headers.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
int pipe2(int descriptors[2], int flags);
int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags);
int close_range(unsigned int first, unsigned int last, int flags);

struct hawser_ucred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static inline short hawser_spawn_setsid(void) { return 0x80; }
static inline int hawser_exited(int status) { return WIFEXITED(status); }
static inline int hawser_exit_status(int status) { return WEXITSTATUS(status); }
static inline int hawser_signaled(int status) { return WIFSIGNALED(status); }
static inline int hawser_term_signal(int status) { return WTERMSIG(status); }
static inline int hawser_core_dumped(int status) { return WCOREDUMP(status); }
static inline int hawser_die_with_parent(int signal) {
    return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
}

// epoll_event is packed; a number each is easier to read: descriptor << 32 | events.
static inline int hawser_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline uint32_t hawser_epoll_in(void) { return EPOLLIN; }
static inline uint32_t hawser_epoll_out(void) { return EPOLLOUT; }
static inline int hawser_epoll_set(int instance, int fd, int is_new, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(instance, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}
static inline int hawser_epoll_remove(int instance, int fd) {
    struct epoll_event event = {0};
    return epoll_ctl(instance, EPOLL_CTL_DEL, fd, &event);
}
static inline int hawser_epoll_wait(int instance, uint64_t *found, int most, int milliseconds) {
    struct epoll_event events[128];
    int count = epoll_wait(instance, events, most < 128 ? most : 128, milliseconds);
    for (int i = 0; i < count; i++)
        found[i] = (uint64_t)(uint32_t)events[i].data.fd << 32 | events[i].events;
    return count;
}

// zlib's initialisers are macros.
static inline int hawser_deflate_init(z_stream *stream, int level) {
    return deflateInit(stream, level);
}
static inline int hawser_inflate_init(z_stream *stream) { return inflateInit(stream); }

extern char **environ;
static inline char **hawser_environment(void) { return environ; }
static inline void hawser_set_environment(char **list) { environ = list; }

// Behind _GNU_SOURCE in glibc's headers.
ssize_t copy_file_range(
    int from, off_t *from_offset, int to, off_t *to_offset, size_t bytes, unsigned int flags);
static inline int hawser_set_pipe_bytes(int fd, int bytes) { return fcntl(fd, 1031, bytes); }
