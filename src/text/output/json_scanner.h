// One JSON value, read character by character and passed on while it arrives.
//
//   JsonScanner scanner;
//   std::string out;
//   for (char c : text) {
//     if (!scanner.put(c, &out)) break;      // c does not belong to the value: it is done, or broken
//   }
//
// What models get wrong in ways that have only one reading is mended on the way: control characters in strings, escapes
// that JSON does not have ("\d"), 'single quotes', True, False and None, a comma before a closing bracket. What comes
// out of a value that is done is JSON.
#pragma once

#include <string>
#include <string_view>

namespace mlc::text {

class JsonScanner {
 public:
  enum class Status { kMore, kDone, kBroken };

  // True when `c` was taken. False: it was not; status() is kDone (a number ends at what follows it) or kBroken.
  // After a value that is done nothing more may be put.
  bool put(char c, std::string* out);
  // The text ends here: a number at the outermost level is done now; anything else that is open is broken.
  void end(std::string* out);
  Status status() const { return status_; }
  bool in_string() const { return quote_ != 0; }
  bool started() const { return started_; }

 private:
  enum class Expect { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kCommaOrEnd };

  bool put_in_string(char c, std::string* out);
  void put_escape(char c, std::string* out);
  void put_unicode(char c, std::string* out);
  void add_plain(char c, std::string* out);
  void flush_surrogate(std::string* out);
  void end_scalar(std::string* out);
  bool put_structure(char c, std::string* out);
  bool open(char c, std::string* out);
  bool close(char c, std::string* out);
  void value_done();
  bool fail() {
    status_ = Status::kBroken;
    return false;
  }

  Status status_ = Status::kMore;
  Expect expect_ = Expect::kValue;
  bool started_ = false;
  std::string stack_;      // '{' and '['
  char quote_ = 0;         // of the string that is open
  bool key_ = false;       // it is a key
  bool escaped_ = false;   // after a backslash
  int unicode_left_ = 0;   // digits of a \uXXXX that are still to come
  std::string unicode_;    // its digits
  std::string surrogate_;  // a first half that waits for its second
  std::string scalar_;     // a number or a word
  std::string comma_;      // a comma and the space after it, which wait for what follows
};

// Whether `text` is one JSON value as it stands, without anything to mend. Numbers may be larger than any C++ type.
bool is_whole_json(std::string_view text);

}  // namespace mlc::text
