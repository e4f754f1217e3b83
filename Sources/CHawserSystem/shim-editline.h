// SPDX-License-Identifier: Apache-2.0
// editline(3), opened at run time: its functions of variable arguments, one form per use.
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <wchar.h>

typedef struct {
    int number;
    const char *text;
} hawser_history_event;

typedef struct {
    const char *buffer;
    const char *cursor;
    const char *last;
} hawser_editor_line;

typedef char *(*hawser_prompt_function)(void *editor);
typedef unsigned char (*hawser_key_function)(void *editor, int key);
typedef int (*hawser_character_function)(void *editor, wchar_t *character);

static inline int hawser_el_set_prompt(void *set, void *editor, hawser_prompt_function prompt) {
    return ((int (*)(void *, int, ...))set)(editor, 0, prompt);
}
static inline int hawser_el_set_editor(void *set, void *editor, const char *mode) {
    return ((int (*)(void *, int, ...))set)(editor, 2, mode);
}
static inline int hawser_el_bind(void *set, void *editor, const char *key, const char *name) {
    return ((int (*)(void *, int, ...))set)(editor, 4, key, name, (char *)NULL);
}
static inline int hawser_el_add_function(
    void *set, void *editor, const char *name, const char *help, hawser_key_function function) {
    return ((int (*)(void *, int, ...))set)(editor, 9, name, help, function);
}
static inline int hawser_el_set_history(void *set, void *editor, void *function, void *history) {
    return ((int (*)(void *, int, ...))set)(editor, 10, function, history);
}
static inline int hawser_el_set_reader(
    void *set, void *editor, hawser_character_function function) {
    return ((int (*)(void *, int, ...))set)(editor, 13, function);
}
static inline int hawser_history_set_size(void *function, void *history, int entries) {
    hawser_history_event event;
    return ((int (*)(void *, hawser_history_event *, int, ...))function)(
        history, &event, 1, entries);
}
static inline int hawser_history_enter(void *function, void *history, const char *line) {
    hawser_history_event event;
    return ((int (*)(void *, hawser_history_event *, int, ...))function)(history, &event, 10, line);
}
static inline FILE *hawser_standard_stream(int number) {
    return number == 0 ? stdin : number == 1 ? stdout : stderr;
}
