/* A subject in C: plain sockets, the head and the body of an answer in two writes, a child process for each request. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(int client, const char *status, long count) {
    char head[256], body[64];
    int length = snprintf(body, sizeof body, "{\"count\":%ld}", count);
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
                        status, length);
    if (write(client, head, size) != size || write(client, body, length) != length) _exit(1);
}

/* Reads until the head is there and as much of the body as it tells of. */
static void serve(int client, long *count) {
    char request[8192];
    size_t size = 0;
    const char *end = NULL;
    long wanted = 0;
    while (!end || strlen(end + 4) < (size_t)wanted) {
        ssize_t got = read(client, request + size, sizeof request - 1 - size);
        if (got <= 0) return;
        size += got;
        request[size] = 0;
        end = strstr(request, "\r\n\r\n");
        const char *length = strcasestr(request, "content-length:");
        wanted = length ? atol(length + strlen("content-length:")) : 0;
    }
    if (!strncmp(request, "POST /count ", 12))
        answer(client, "201 Created", *count += atol(end + 4));
    else if (!strncmp(request, "GET /count ", 11))
        answer(client, "200 OK", *count);
    else
        answer(client, "404 Not Found", 0);
}

int main(void) {
    long *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT"))),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGCHLD, SIG_IGN);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return 1;
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0) continue;
        if (!fork()) {
            serve(client, count);
            _exit(0);
        }
        close(client);
    }
}
