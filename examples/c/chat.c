/* A chat with a model in C, word by word as it is made.
 *
 *   cc -std=c11 chat.c -lmlc_llm -o chat       (or CMakeLists.txt beside this file)
 *   ./chat models/demo "Tell me a story about a fox"
 *
 * Chunks are JSON. This program shows the one field that it needs without a JSON library; real programs have one.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <mlc_llm/c_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes text as a JSON string with its quotes. */
static void write_json_string(FILE* out, const char* text) {
  fputc('"', out);
  for (; *text != '\0'; ++text) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      fprintf(out, "\\%c", c);
    } else if (c < 0x20) {
      fprintf(out, "\\u%04x", c);
    } else {
      fputc(c, out);
    }
  }
  fputc('"', out);
}

/* Prints the JSON string that begins at `text`, unescaped; characters above U+007F come as UTF-8. */
static void print_json_string(const char* text) {
  for (; *text != '"' && *text != '\0'; ++text) {
    if (*text != '\\') {
      putchar(*text);
      continue;
    }
    ++text;
    switch (*text) {
      case 'n':
        putchar('\n');
        break;
      case 't':
        putchar('\t');
        break;
      case 'u': /* only control characters come in this form */
        text += 4;
        break;
      default:
        putchar(*text);
    }
  }
  fflush(stdout);
}

static int chat(mlc_engine* engine, const char* body) {
  mlc_request* request = NULL;
  if (mlc_request_start(engine, "chat.completions", body, NULL, NULL, &request) != MLC_OK) return 1;
  char* chunk = NULL;
  mlc_status status;
  while ((status = mlc_request_next(request, -1, &chunk)) == MLC_OK) {
    static const char field[] = "\"content\":\"";
    const char* content = strstr(chunk, field);
    if (content != NULL) print_json_string(content + sizeof(field) - 1);
    mlc_string_free(chunk);
  }
  mlc_request_free(request);
  putchar('\n');
  return status == MLC_END ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL MESSAGE\n", argv[0]);
    return 2;
  }
  if (mlc_abi_version() != MLC_ABI_VERSION) {
    fprintf(stderr, "error: the library has interface %u, this program %d\n", (unsigned)mlc_abi_version(),
            MLC_ABI_VERSION);
    return 1;
  }
  char* body = NULL;
  size_t size = 0;
  FILE* out = open_memstream(&body, &size);
  if (out == NULL) return 1;
  fputs("{\"stream\": true, \"temperature\": 0, \"max_tokens\": 64, \"messages\": [{\"role\": \"user\", \"content\": ",
        out);
  write_json_string(out, argv[2]);
  fputs("}]}", out);
  fclose(out);

  mlc_engine* engine = NULL;
  int failed = mlc_engine_create(argv[1], "{\"mode\": \"interactive\", \"verbose\": true}", &engine) != MLC_OK;
  if (!failed) failed = chat(engine, body);
  if (failed) fprintf(stderr, "error: %s\n", mlc_last_error());
  mlc_engine_destroy(engine);
  free(body);
  return failed;
}
