// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

/// poll(2) of a process that has had nothing to do for a while: what it changed of its program's
/// file only by relocation goes back to the system for as long as it waits (rest.c). At most 16
/// entries; with more, or where it cannot be done, this is poll(2) alone. -1 with EINTR after a signal.
int hawser_rest(struct pollfd *entries, unsigned count, int milliseconds);
