/* explore: try the executions of a scene on the shipped text.
 *
 *   explore --list
 *   explore SCENE[/VARIANT] [--memory sc|tso|pso] [--mode states|sleep|random|pct] [--bound N] [--seconds S]
 *           [--runs N] [--seed N] [--changes N] [--table BITS]
 *
 * One line for each variant: what was tried, and whether that was everything (outcome=exhausted). Exit status
 * 1 when a check failed; the first line is then "FAILED check: what", and the moves that led there follow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenes.h"
#include "search.h"

static int find(const char *const *words, int n, const char *word) {
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    xp_die("unknown: %s", word);
}

static const scene_t *const *const files[] = {litmus_scenes, works_scenes, events_scenes, channels_scenes,
                                              parking_scenes};
enum { FILES = sizeof files / sizeof *files };

static void list_scenes(const scene_t *const *scene) {
    for (; *scene; scene++)
        for (int variant = 0; variant < (*scene)->variants; variant++)
            if ((*scene)->variant_names)
                printf("%s/%s\n", (*scene)->name, (*scene)->variant_names[variant]);
            else
                printf("%s\n", (*scene)->name);
}

static int search_variants(search_t *wanted, const char *only) {
    int failed = 0, found = 0;
    for (int variant = 0; variant < wanted->scene->variants && !failed; variant++) {
        const char *const *names = wanted->scene->variant_names;
        if (only && (names == NULL || strcmp(names[variant], only) != 0))
            continue;
        found = 1;
        wanted->variant = variant;
        failed = search(wanted);
    }
    if (!found)
        xp_die("no variant %s; --list names them", only);
    return failed;
}

int main(int argc, char **argv) {
    static const char *const memories[] = {"sc", "tso", "pso"};
    static const char *const modes[] = {"states", "sleep", "random", "pct"};
    search_t wanted = {.bound = -1, .changes = 3, .seconds = 60, .seed = 1, .table_bits = 24};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < FILES; i++)
            list_scenes(files[i]);
        return 0;
    }
    if (argc < 2 || argc % 2) {
        fprintf(
            stderr,
            "usage: explore --list | SCENE[/VARIANT] [--memory sc|tso|pso] [--mode states|sleep|random|pct]\n"
            "       [--bound N] [--seconds S] [--runs N] [--seed N] [--changes N] [--table BITS]\n");
        return 2;
    }
    for (int i = 2; i < argc; i += 2) {
        const char *option = argv[i], *value = argv[i + 1];
        if (strcmp(option, "--memory") == 0)
            wanted.memory = find(memories, 3, value);
        else if (strcmp(option, "--mode") == 0)
            wanted.how = find(modes, 4, value);
        else if (strcmp(option, "--bound") == 0)
            wanted.bound = atoi(value);
        else if (strcmp(option, "--seconds") == 0)
            wanted.seconds = atof(value);
        else if (strcmp(option, "--runs") == 0)
            wanted.runs = atol(value);
        else if (strcmp(option, "--seed") == 0)
            wanted.seed = strtoull(value, NULL, 0);
        else if (strcmp(option, "--changes") == 0)
            wanted.changes = atoi(value) < 16 ? atoi(value) : 16;
        else if (strcmp(option, "--table") == 0)
            wanted.table_bits = atoi(value);
        else
            xp_die("unknown option %s", option);
    }
    const char *slash = strchr(argv[1], '/');
    size_t length = slash ? (size_t)(slash - argv[1]) : strlen(argv[1]);
    for (int i = 0; i < FILES; i++)
        for (const scene_t *const *scene = files[i]; *scene; scene++)
            if (strlen((*scene)->name) == length && strncmp((*scene)->name, argv[1], length) == 0) {
                wanted.scene = *scene;
                return search_variants(&wanted, slash ? slash + 1 : NULL);
            }
    xp_die("no scene %s; --list names them", argv[1]);
}
