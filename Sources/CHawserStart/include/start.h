// SPDX-License-Identifier: Apache-2.0
// Nothing is called from Swift: see start.c.
