#include "codegen/llvm/emit.h"

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "codegen/llvm/func_emitter.h"
#include "codegen/llvm/machine.h"

namespace mlc::codegen {
namespace {

// A module with the context and machine that it needs to live.
struct Built {
  std::unique_ptr<::llvm::LLVMContext> context = std::make_unique<::llvm::LLVMContext>();
  std::unique_ptr<::llvm::TargetMachine> machine;
  std::unique_ptr<::llvm::Module> module;
};

// Windows commits a stack page by page, and LLVM calls this where a frame is larger than a page: touch each page of the
// rax bytes below the caller's frame, in order, and change no register. The C library has it, which kernels do not
// link.
constexpr const char* kProbeStack = R"(
  .text
  .p2align 4
___chkstk_ms:
  pushq %rcx
  pushq %rax
  leaq 24(%rsp), %rcx
1:
  cmpq $4096, %rax
  jb 2f
  subq $4096, %rcx
  orb $0, (%rcx)
  subq $4096, %rax
  jmp 1b
2:
  subq %rax, %rcx
  orb $0, (%rcx)
  popq %rax
  popq %rcx
  retq
)";

// What a library offers; on Windows it must be said.
void export_symbol(::llvm::GlobalValue& value, const target::Target& target) {
  if (target.is_windows()) value.setDLLStorageClass(::llvm::GlobalValue::DLLExportStorageClass);
}

Result<Built> new_module(const target::Target& target, int opt_level) {
  if (!target.is_cpu()) {
    return error(ErrorCode::kUnsupported, "the LLVM backend generates code for CPUs, not for {}",
                 target::kind_name(target.kind));
  }
  Built b;
  MLC_TRY(b.machine, make_machine(target, opt_level));
  // A fixed name: the bytes of the object must not depend on where it is built.
  b.module = std::make_unique<::llvm::Module>("mlc", *b.context);
  b.module->setTargetTriple(target.triple);
  b.module->setDataLayout(b.machine->createDataLayout());
  b.module->setPICLevel(::llvm::PICLevel::BigPIC);
  if (target.is_windows() && target.is_x86_64()) b.module->setModuleInlineAsm(kProbeStack);
  return b;
}

bool uses_vectors(const ir::PrimFunc& f) {
  bool found = false;
  ir::for_each_expr(f.body, [&](const ir::Expr& e) { found = found || e.dtype().lanes > 1; });
  return found;
}

Result<Built> build(const std::vector<const ir::PrimFunc*>& functions, const target::Target& target,
                    const EmitOptions& options, bool optimized) {
  MLC_TRY(Built b, new_module(target, options.opt_level));
  bool vectors = false;
  for (const auto* f : functions) {
    FuncEmitter emitter(*b.module, target, options);
    MLC_TRY_VOID(emitter.emit(*f));
    export_symbol(*b.module->getFunction(f->name), target);
    vectors = vectors || uses_vectors(*f);
  }
  std::string problem;
  ::llvm::raw_string_ostream out(problem);
  MLC_CHECK(!::llvm::verifyModule(*b.module, &out), "LLVM rejects the module that was built: {}", out.str());
  if (optimized) optimize(*b.module, *b.machine, options.opt_level, vectors);
  return b;
}

std::vector<const ir::PrimFunc*> all_functions(const ir::Module& m) {
  std::vector<const ir::PrimFunc*> functions;
  for (const auto& f : m.functions) functions.push_back(&f);
  return functions;
}

std::string write_file(Built& b, ::llvm::CodeGenFileType type) {
  ::llvm::SmallString<0> bytes;
  ::llvm::raw_svector_ostream out(bytes);
  ::llvm::legacy::PassManager passes;
  const bool cannot = b.machine->addPassesToEmitFile(passes, out, nullptr, type);
  MLC_CHECK(!cannot, "LLVM cannot write this kind of file for {}", b.module->getTargetTriple());
  passes.run(*b.module);
  return std::string(bytes.data(), bytes.size());
}

// A library must load anywhere: an object that wants memcpy or a math function is an error, and here it has a name.
Result<void> check_self_contained(const std::string& object) {
  auto parsed = ::llvm::object::ObjectFile::createObjectFile(::llvm::MemoryBufferRef(object, "object"));
  MLC_CHECK(static_cast<bool>(parsed), "LLVM cannot read its own object: {}", ::llvm::toString(parsed.takeError()));
  std::string missing;
  for (const auto& symbol : (*parsed)->symbols()) {
    auto flags = symbol.getFlags();
    if (!flags || !(*flags & ::llvm::object::SymbolRef::SF_Undefined)) continue;
    auto name = symbol.getName();
    if (name && !name->empty()) missing += (missing.empty() ? "" : ", ") + name->str();
  }
  if (missing.empty()) return {};
  return error(ErrorCode::kUnsupported,
               "the compiled kernels would import {}, but kernels import nothing: an operation that this target lacks "
               "was not expanded by lower/",
               missing);
}

Result<std::string> object_of(const std::vector<const ir::PrimFunc*>& functions, const target::Target& target,
                              const EmitOptions& options) {
  MLC_TRY(Built b, build(functions, target, options, true));
  std::string object = write_file(b, ::llvm::CodeGenFileType::ObjectFile);
  MLC_TRY_VOID(check_self_contained(object));
  return object;
}

::llvm::GlobalVariable* add_constant(::llvm::Module& m, ::llvm::Constant* value, const std::string& name) {
  auto* g = new ::llvm::GlobalVariable(m, value->getType(), true, ::llvm::GlobalValue::ExternalLinkage, value, name);
  g->setAlignment(::llvm::Align(64));
  return g;
}

}  // namespace

Result<std::string> emit_object(const ir::Module& lowered, const target::Target& target, const EmitOptions& options) {
  return object_of(all_functions(lowered), target, options);
}

Result<std::vector<std::string>> emit_objects(const ir::Module& lowered, const target::Target& target,
                                              const EmitOptions& options) {
  const auto functions = all_functions(lowered);
  std::vector<Result<std::string>> results(functions.size(), Result<std::string>(std::string()));
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < functions.size(); i = next++) results[i] = object_of({functions[i]}, target, options);
  };
  std::vector<std::thread> threads;
  const int helpers = std::min<int>(options.num_threads, static_cast<int>(functions.size())) - 1;
  for (int i = 0; i < helpers; ++i) threads.emplace_back(work);
  work();
  for (auto& t : threads) t.join();
  std::vector<std::string> objects;
  for (auto& r : results) {
    MLC_TRY(std::string object, std::move(r));
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<std::string> emit_llvm_text(const ir::Module& lowered, const target::Target& target, bool optimized,
                                   const EmitOptions& options) {
  MLC_TRY(Built b, build(all_functions(lowered), target, options, optimized));
  std::string text;
  ::llvm::raw_string_ostream out(text);
  b.module->print(out, nullptr);
  return out.str();
}

Result<std::string> emit_assembly(const ir::Module& lowered, const target::Target& target, const EmitOptions& options) {
  MLC_TRY(Built b, build(all_functions(lowered), target, options, true));
  return write_file(b, ::llvm::CodeGenFileType::AssemblyFile);
}

Result<std::string> emit_data(const std::vector<DataBlob>& blobs, const target::Target& target) {
  MLC_TRY(Built b, new_module(target, 0));
  for (const auto& blob : blobs) {
    auto* bytes = ::llvm::ConstantDataArray::getString(*b.context, blob.bytes, false);
    export_symbol(*add_constant(*b.module, bytes, blob.symbol), target);
    auto* size = ::llvm::ConstantInt::get(::llvm::Type::getInt64Ty(*b.context), blob.bytes.size());
    export_symbol(*add_constant(*b.module, size, blob.symbol + "_size"), target);
  }
  return write_file(b, ::llvm::CodeGenFileType::ObjectFile);
}

}  // namespace mlc::codegen
