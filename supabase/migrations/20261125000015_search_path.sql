-- An empty search_path still looks into the session's temporary schema, and first, for types: who can create a temporary
-- domain called jsonb would have its check run with the rights of a privileged function that casts to jsonb. The Data API
-- creates no temporary objects; whoever finds a way to plain SQL could. Named last, the temporary schema is asked last.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and 'search_path=""' = any (p.proconfig)
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', v_function);
  end loop;
end $$;
