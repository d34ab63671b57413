// SPDX-License-Identifier: Apache-2.0
/*
 * "did you mean": the candidate nearest to a word.
 *
 * Nearness is the number of letters to insert, delete, replace or swap with their neighbour, in
 * any case; the start of a candidate counts as one such step. Far candidates are no suggestion.
 *
 *     struct suggestion suggestion;
 *     suggestion_init(&suggestion, "memroy", 6);
 *     suggestion_offer(&suggestion, "memory");      (each candidate)
 *     if (suggestion.best != NULL) ...
 */
#ifndef ARMLET_SRC_OPTIONS_SUGGEST_H
#define ARMLET_SRC_OPTIONS_SUGGEST_H

#include <stddef.h>

enum { SUGGESTION_LENGTH_MAX = 32 }; /* longer words and candidates are never near */

struct suggestion {
    char word[SUGGESTION_LENGTH_MAX + 1];
    size_t length;
    const char *best; /* NULL: nothing is near */
    size_t best_distance;
};

/* `word` need not end in NUL. */
void suggestion_init(struct suggestion *suggestion, const char *word, size_t length);

/* Keeps `candidate` if it is nearer than those before it; it must outlive the suggestion. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

#endif
