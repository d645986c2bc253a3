#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

namespace mlc {
namespace {

TEST(File, FullDiskIsNamed) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full on this system";
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  // A link, because a writer that fails removes its file.
  ASSERT_EQ(::symlink("/dev/full", tmp->file("full").c_str()), 0);
  auto writer = FileWriter::create(tmp->file("full"));
  ASSERT_TRUE(writer);
  auto written = writer->write(std::string_view("x"));
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("disk is full"), std::string::npos) << written.error().message;
}

TEST(File, LockExcludesAnotherProcess) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  const std::string path = tmp->file(".lock");
  auto lock = FileLock::acquire(path);
  ASSERT_TRUE(lock);
  auto child_sees = [&] {
    const pid_t pid = ::fork();
    if (pid == 0) {
      auto other = FileLock::try_acquire(path);
      ::_exit(!other ? 2 : other->has_value() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(child_sees(), 0);
  {
    FileLock released = *std::move(lock);
  }
  EXPECT_EQ(child_sees(), 1);
}

}  // namespace
}  // namespace mlc
