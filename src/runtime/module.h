// A compiled model, ready to be called: the artifact and its kernels' addresses.
//
//   MLC_TRY(std::shared_ptr<const Module> module, Module::load("lib.so"));
//   module->artifact().facts.vocab_size;
//   artifact::KernelFn fn = module->kernel("rms_norm_1");     // never null: all names were resolved at load
//
// load() refuses, each with one clear line: what is no shared library, another architecture, a library without an
// artifact, another interface version, instructions that this CPU lacks, a kernel that the plan names but the library
// does not have. Where the file lies on a file system mounted noexec, it is loaded through memory.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "artifact/abi.h"
#include "artifact/artifact.h"
#include "base/result.h"

namespace mlc::runtime {

class Module {
 public:
  using Functions = std::map<std::string, artifact::KernelFn, std::less<>>;

  static Result<std::shared_ptr<const Module>> load(const std::string& path);
  // For tests: kernels of this program. Fails if the plan or a parameter names one that is not there.
  static Result<std::shared_ptr<const Module>> from_functions(artifact::Artifact artifact, Functions functions);

  const artifact::Artifact& artifact() const { return artifact_; }
  artifact::KernelFn kernel(std::string_view name) const;
  const std::string& path() const { return path_; }

 private:
  Module() = default;
  std::string path_;
  artifact::Artifact artifact_;
  Functions functions_;
  std::shared_ptr<void> library_;  // keeps it loaded
};

}  // namespace mlc::runtime
