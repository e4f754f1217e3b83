// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The words of the command line, the program's name first, and how many there are.
char **hawser_arguments(int *count);
