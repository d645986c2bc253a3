// Prints one kernel: private to c_style.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "codegen/c_style/c_printer.h"
#include "codegen/c_style/dialect.h"

namespace mlc::codegen {

// One grid of a function, taken apart: axes outside, then the body of a thread.
struct Grid {
  struct Axis {
    ir::Var var;
    ir::Expr min, extent;
  };
  std::optional<Axis> blocks[3], threads[3];  // x, y, z
  std::vector<ir::Buffer> shared;
  ir::Stmt body;
};

class KernelPrinter {
 public:
  KernelPrinter(const CDialect& dialect, const ir::PrimFunc& f) : d_(dialect), f_(f) {}

  // The text of the kernel.
  Result<std::string> print(const std::string& kernel, const Grid& grid, const std::array<int64_t, 3>& threads);

 private:
  // ---- kernel_printer.cc
  std::string params();
  void axes(const Grid& grid);
  void stmt(const ir::Stmt& s);
  void loop(const ir::For& x);
  void store(const ir::Store& x);
  void declare_array(const char* form, const ir::Buffer& b);
  void line(const std::string& text);

  // ---- kernel_exprs.cc
  std::string expr(const ir::Expr& e);
  std::string condition(const ir::Expr& e);
  std::string int_literal(DType t, int64_t v);
  std::string float_literal(DType t, double v);
  std::string binary(const ir::Expr& e, const ir::Binary& x);
  std::string integer_binary(DType t, const ir::Expr& e, const ir::Binary& x);
  std::string floor_division(DType t, const ir::Binary& x);
  std::string cast_expr(DType to, const ir::Expr& a);
  std::string reinterpreted(DType to, const ir::Expr& a);
  std::string load(const ir::Expr& e, const ir::Load& x);
  std::string call(const std::string& name, const std::vector<ir::Expr>& args);
  std::string element_index(const ir::Buffer& b, const std::vector<ir::Expr>& indices);

  const CDialect::TypeName& type_row(DType t) const;
  std::string type(DType t) const;
  std::string wrapped(DType t, const std::string& value) const;   // converted back after arithmetic in a wider type
  std::string narrowed(DType t, const std::string& value) const;  // the same, where C would have computed in int
  const std::string& name_of(const void* id, const std::string& wish);
  std::string fail(const std::string& what);

  const CDialect& d_;
  const ir::PrimFunc& f_;
  std::string out_;
  int indent_ = 0;
  std::map<const void*, std::string> names_;
  std::set<std::string> taken_;
  std::optional<Error> error_;
};

}  // namespace mlc::codegen
