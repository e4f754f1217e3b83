// SPDX-License-Identifier: Apache-2.0

print("ssh: not yet")
