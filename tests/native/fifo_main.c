/* Run writer and reader of fifo_driver.pyx on two threads, kind by kind: 0 if every byte was right.
 * Python is linked for the sake of the generated file, and never started. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

typedef void *body(void *);
extern void *course_new(uint64_t esize, uint64_t total);
extern uint64_t course_wrong(void *course);
extern body bytes_writer, bytes_reader, words_writer, words_reader, records_writer, records_reader;

static int run(const char *name, uint64_t esize, uint64_t total, body writer, body reader) {
    void *course = course_new(esize, total);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, writer, course);
    pthread_create(&threads[1], NULL, reader, course);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    unsigned long long wrong = course_wrong(course);
    printf("%s: %llu wrong\n", name, wrong);
    return wrong != 0;
}

int main(void) {
    int wrong = run("bytes", 1, 200000, bytes_writer, bytes_reader);
    wrong |= run("words", 4, 50000, words_writer, words_reader);
    wrong |= run("records", 1, 20000, records_writer, records_reader);
    return wrong;
}
