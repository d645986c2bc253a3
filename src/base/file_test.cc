#include "base/file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/hash.h"
#include "base/json.h"
#include "base/mmap.h"

namespace mlc {
namespace {

namespace fs = std::filesystem;

size_t count_entries(const std::string& dir) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
}

TEST(File, WritesReadsAndReplaces) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  const std::string path = tmp->file("a.txt");
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(*file_size(path), 3u);
  EXPECT_EQ(count_entries(tmp->path()), 1u);
  ASSERT_TRUE(copy_file_atomic(path, tmp->file("b.txt")));
  EXPECT_EQ(*read_file(tmp->file("b.txt")), "two");
  EXPECT_EQ(count_entries(tmp->path()), 2u);
}

TEST(File, FailuresNameThePathAndLeaveNothing) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  auto missing = read_file(tmp->file("nope"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("nope"), std::string::npos);
  EXPECT_FALSE(read_file(tmp->path()));
  EXPECT_FALSE(write_file_atomic(tmp->file("no/dir/x"), "x"));
  // A rename onto a directory fails after everything was written: the temporary goes away.
  ASSERT_TRUE(make_directories(tmp->file("d/sub")));
  EXPECT_FALSE(write_file_atomic(tmp->file("d"), "x"));
  EXPECT_EQ(count_entries(tmp->path()), 1u);
}

TEST(File, ContinuedFileIsKept) {
  auto tmp = TempDir::create();
  const std::string path = tmp->file("part");
  for (const char* text : {"one ", "two"}) {
    auto writer = FileWriter::continue_file(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write(std::string_view(text)));
  }
  EXPECT_EQ(*read_file(path), "one two");
  auto writer = FileWriter::continue_file(path);
  EXPECT_EQ(writer->position(), 7u);
  ASSERT_TRUE(writer->start_over());
  ASSERT_TRUE(writer->write(std::string_view("three")));
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(*read_file(path), "three");
}

TEST(File, WriterWithoutCloseRemovesItsFile) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  {
    auto writer = FileWriter::create(tmp->file("half"));
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write(std::string_view("abc")));
    EXPECT_EQ(writer->position(), 3u);
  }
  EXPECT_EQ(count_entries(tmp->path()), 0u);
}

TEST(File, TempDirGoesAwayUnlessReleased) {
  std::string gone, kept;
  {
    auto a = TempDir::create();
    ASSERT_TRUE(a);
    ASSERT_TRUE(write_file_atomic(a->file("x"), "x"));
    gone = a->path();
    auto b = TempDir::create();
    ASSERT_TRUE(b);
    kept = b->release();
  }
  EXPECT_FALSE(path_exists(gone));
  EXPECT_TRUE(path_exists(kept));
  ASSERT_TRUE(remove_all(kept));
}

TEST(File, LockExcludesWhoeverOpensItAgain) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  const std::string path = tmp->file(".lock");
  {
    auto lock = FileLock::acquire(path);
    ASSERT_TRUE(lock);
    auto other = FileLock::try_acquire(path);
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_FALSE(other->has_value());
  }
  auto again = FileLock::try_acquire(path);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->has_value());
}

TEST(Hash, KnownValues) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_hex("The quick brown fox jumps over the lazy dog"), "9e107d9d372bb6826bd81d3542a419d6");
}

TEST(Hash, DirectoryKeyFollowsContentAndNames) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  ASSERT_TRUE(write_file_atomic(tmp->file("a"), "1"));
  ASSERT_TRUE(make_directories(tmp->file("s")));
  ASSERT_TRUE(write_file_atomic(tmp->file("s/b"), "2"));
  const std::string key = *directory_content_key(tmp->path());
  EXPECT_EQ(*directory_content_key(tmp->path() + "/"), key);
  ASSERT_TRUE(write_file_atomic(tmp->file(".hidden"), "x"));
  EXPECT_EQ(*directory_content_key(tmp->path()), key);
  ASSERT_TRUE(write_file_atomic(tmp->file("s/b"), "3"));
  EXPECT_NE(*directory_content_key(tmp->path()), key);
  ASSERT_TRUE(write_file_atomic(tmp->file("s/b"), "2"));
  EXPECT_EQ(*directory_content_key(tmp->path()), key);
  ASSERT_TRUE(rename_path(tmp->file("s/b"), tmp->file("s/c")));
  EXPECT_NE(*directory_content_key(tmp->path()), key);
  EXPECT_FALSE(directory_content_key(tmp->file("nope")));
}

TEST(MappedFile, MapsBytesAndSurvivesAdvice) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  std::string data(100000, 'x');
  data[54321] = 'y';
  ASSERT_TRUE(write_file_atomic(tmp->file("m"), data));
  auto file = MappedFile::open(tmp->file("m"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), data.size());
  (*file)->advise(Advice::kWillNeed, 10, 1000);
  (*file)->advise(Advice::kDontNeed, 10, 1u << 30);
  EXPECT_EQ((*file)->bytes()[54321], std::byte{'y'});
  ASSERT_TRUE(write_file_atomic(tmp->file("empty"), ""));
  auto empty = MappedFile::open(tmp->file("empty"));
  ASSERT_TRUE(empty);
  EXPECT_TRUE((*empty)->bytes().empty());
  EXPECT_FALSE(MappedFile::open(tmp->path()));
  EXPECT_FALSE(MappedFile::open(tmp->file("nope")));
}

TEST(Json, BadTextIsOneClearLine) {
  auto bad = parse_json("{\"a\": 1,\n", "config.json");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message.find("config.json: not valid JSON: "), 0u) << bad.error().message;
  EXPECT_EQ(bad.error().message.find('\n'), std::string::npos);
  EXPECT_TRUE(parse_json("{}", "x"));
}

}  // namespace
}  // namespace mlc
