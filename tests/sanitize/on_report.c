/* Have every report of UndefinedBehaviorSanitizer in a file, whatever becomes of the process's stderr.
 *
 * Beside AddressSanitizer the runtime of gcc ignores its own log_path: it writes to stderr, which the tests
 * catch and drop. It calls this function at each report; preloaded before libubsan, this one is found first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void __ubsan_get_current_report_data(const char **kind, const char **message, const char **file,
                                            unsigned *line, unsigned *column, char **address);

void __ubsan_on_report(void) {
    const char *kind, *message, *file, *log = getenv("UBSAN_REPORTS");
    unsigned line, column;
    char *address;
    int target = log ? open(log, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (target < 0)
        abort();
    __ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &address);
    dprintf(target, "%s:%u:%u: runtime error: %s (%s)\n", file, line, column, message, kind);
    close(target);
}
